internal import Conversations

/// The query parameters of `metadata_keys` and `metadata_values` (contract, section 9), read one by
/// one in the order sent.
struct FacetParameters {
  private(set) var query: FacetQuery
  private var seen: Set<String> = []

  /// The names of the parameters of `metadata_keys`; a test compares them with `openapi.json`.
  static let keysNames = ["prefix", "after", "limit", "up_to"]
  /// The names of the parameters of `metadata_values`; a test compares them with `openapi.json`.
  static let valuesNames = ["key"] + keysNames

  /// - Throws: The first fault: `.unknownParameter`, `.parameter`, `.metadata` for what no key can be.
  init(ofKeys parameters: [(name: String, value: String)]) throws(APIError) {
    query = FacetQuery(.keys)
    for (name, value) in parameters {
      switch name {
      case "prefix": query.prefix = try Self.key(value)
      case "after": query.after = try Self.key(value)
      default: try readNumber(name, value, limits: FacetQuery.keysLimits)
      }
      try seeOnce(name)
    }
  }

  /// - Throws: The first fault: `.parameter`, `.unknownParameter`, `.metadata` for what no key, or no
  ///   value, can be.
  init(ofValues parameters: [(name: String, value: String)]) throws(APIError) {
    guard let key = parameters.first(where: { $0.name == "key" })?.value else {
      throw .parameter(.missing("key"))
    }
    query = FacetQuery(.values(key: key))
    for (name, value) in parameters {
      switch name {
      case "key": _ = try Self.key(value)
      case "prefix": query.prefix = try Self.value(value, of: key)
      case "after": query.after = try Self.value(value, of: key)
      default: try readNumber(name, value, limits: FacetQuery.valuesLimits)
      }
      try seeOnce(name)
    }
  }

  private mutating func readNumber(
    _ name: String, _ value: String, limits: ClosedRange<Int>
  ) throws(APIError) {
    switch name {
    case "limit": query.limit = try ListParameters.integer(name, value, within: limits)
    case "up_to":
      query.countLimit = try ListParameters.integer(name, value, within: FacetQuery.countLimits)
    default: throw .unknownParameter(name)
    }
  }

  private mutating func seeOnce(_ name: String) throws(APIError) {
    guard seen.insert(name).inserted else { throw .parameter(.repeated(name)) }
  }

  private static func key(_ text: String) throws(APIError) -> String {
    try ListParameters.pair(key: text, value: "").key
  }

  private static func value(_ text: String, of key: String) throws(APIError) -> String {
    try ListParameters.pair(key: key, value: text).value
  }
}
