internal import Conversations
internal import Repository

/// The query parameters of the list (contract, section 6), and of the count and the export, which have its
/// conditions, read one by one in the order sent.
struct ListParameters {
  private(set) var query = ConversationQuery()
  /// How far the conversations are counted.
  private(set) var countLimit = ConversationCount.defaultLimit
  /// Where the export goes on; nil for its beginning.
  private(set) var exportPlace: ExportPlace?
  private let route: Route
  private var seen: Set<String> = []
  /// Of which form a cursor is depends on it, wherever it stands.
  private let isByActivity: Bool

  /// Whose parameters they are.
  enum Route {
    case list, count, export
  }

  /// The names without a key in brackets; a test compares them with `openapi.json`.
  static let names =
    ["limit", "order", "order_by", "after", "before", "include"] + conditionNames
  /// The same of the count.
  static let countNames = ["up_to"] + conditionNames
  /// The same of the export.
  static let exportNames = ["after"] + conditionNames
  private static let conditionNames = [
    "metadata", "metadata_exists", "metadata_absent", "created_at[gte]", "created_at[gt]",
    "created_at[lte]", "created_at[lt]",
  ]

  /// - Parameter route: Whose they are.
  /// - Throws: The first fault: `.unknownParameter`, `.parameter`: what is wrong with a value,
  ///   `.metadata`, `.query`.
  init(
    _ parameters: [(name: String, value: String)], of route: Route = .list
  ) throws(APIError) {
    self.route = route
    isByActivity = parameters.contains {
      $0.name == "order_by" && $0.value == ConversationQuery.Key.lastActivity.rawValue
    }
    for (name, value) in parameters {
      let bare = Self.withoutListBrackets(name)
      switch bare {
      case "include" where route == .list:
        guard name.hasSameBytes(as: "include[]") else { throw .parameter(.notAList(name: name)) }
        query.included.insert(try Self.choice(bare, value))
      case "metadata_exists":
        let key = try Self.pair(key: value, value: "").key
        try rethrowing { query throws(ConversationQueryError) in try query.require(key: key) }
      case "metadata_absent":
        let key = try Self.pair(key: value, value: "").key
        try rethrowing { query throws(ConversationQueryError) in try query.refuse(key: key) }
      case let bare
      where bare.utf8.starts(with: "metadata[".utf8) && bare.utf8.last == UInt8(ascii: "]"):
        let key = bare.utf8.dropFirst("metadata[".utf8.count).dropLast()
        let pair = try Self.pair(key: String(decoding: key, as: UTF8.self), value: value)
        try rethrowing { query throws(ConversationQueryError) in try query.require(pair) }
      default:
        try readSingle(name, value)
      }
    }
  }

  /// The name of a list ends with `[]`, after a key in brackets or instead of one. Bytes are looked
  /// at, since a bracket and a combining mark after it are one `Character`.
  private static func withoutListBrackets(_ name: String) -> String {
    guard name.utf8.suffix(2).elementsEqual("[]".utf8) else { return name }
    let bare = name.utf8.dropLast(2)
    guard bare.last == UInt8(ascii: "]") || !bare.contains(UInt8(ascii: "[")) else { return name }
    return String(decoding: bare, as: UTF8.self)
  }

  /// Reads a parameter that may be there once.
  private mutating func readSingle(_ name: String, _ value: String) throws(APIError) {
    switch name {
    case "up_to" where route == .count:
      countLimit = try Self.integer(name, value, within: ConversationCount.limits)
    case "limit" where route == .list: query.limit = try Self.limit(value)
    case "order" where route == .list: query.order = try Self.order(value)
    case "order_by" where route == .list: query.orderBy = try Self.choice(name, value)
    case "after" where route == .list: query.after = try cursor(name, value)
    case "before" where route == .list: query.before = try cursor(name, value)
    case "after" where route == .export:
      guard let place = ExportPlace(value) else {
        throw .parameter(.notAnExportPlace(name: name, value: value))
      }
      exportPlace = place
    case "created_at[gte]": raiseStart(to: try Self.integer(name, value))
    case "created_at[gt]": raiseStart(to: try Self.integer(name, value).successor)
    case "created_at[lt]": lowerEnd(to: try Self.integer(name, value))
    case "created_at[lte]": lowerEnd(to: try Self.integer(name, value).successor)
    default: throw .unknownParameter(name)
    }
    guard seen.insert(name).inserted else { throw .parameter(.repeated(name)) }
  }

  private mutating func raiseStart(to seconds: Int64) {
    query.createdFrom = max(seconds, query.createdFrom ?? seconds)
  }

  private mutating func lowerEnd(to seconds: Int64) {
    query.createdBefore = min(seconds, query.createdBefore ?? seconds)
  }

  private mutating func rethrowing(
    _ change: (inout ConversationQuery) throws(ConversationQueryError) -> Void
  ) throws(APIError) {
    do {
      try change(&query)
    } catch {
      throw .parameter(.query(error))
    }
  }

  static func pair(key: String, value: String) throws(APIError) -> Metadata.Pair {
    do {
      return try Metadata.Pair(key: key, value: value)
    } catch {
      throw .metadata(error)
    }
  }

  private func cursor(_ name: String, _ value: String) throws(APIError) -> ConversationCursor {
    if isByActivity {
      guard let cursor = ConversationCursor(value) else {
        throw .parameter(.notAPlace(name: name, value: value))
      }
      return cursor
    }
    guard let id = ConversationID(value) else {
      throw .parameter(.notAnID(name: name, value: value))
    }
    return .conversation(id)
  }

  static func order(_ value: String) throws(APIError) -> ConversationQuery.Order {
    try choice("order", value)
  }

  private static func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ name: String, _ value: String
  ) throws(APIError) -> Choice {
    // Bytes are compared: Swift takes texts for equal that are not the same.
    if let choice = Choice.allCases.first(where: { $0.rawValue.hasSameBytes(as: value) }) {
      return choice
    }
    throw .parameter(
      .notAChoice(name: name, value: value, choices: Choice.allCases.map(\.rawValue)))
  }

  static func limit(_ value: String) throws(APIError) -> Int {
    try integer("limit", value, within: ConversationQuery.limits)
  }

  static func integer(
    _ name: String, _ value: String, within limits: ClosedRange<Int>
  ) throws(APIError) -> Int {
    let number = try integer(name, value)
    if number < limits.lowerBound {
      throw .parameter(.tooSmall(name: name, value: value, smallest: limits.lowerBound))
    }
    if number > limits.upperBound {
      throw .parameter(.tooLarge(name: name, value: value, largest: limits.upperBound))
    }
    return Int(number)
  }

  /// Reads decimal digits, perhaps after a minus; a number that is out of range is the nearest in
  /// range.
  private static func integer(_ name: String, _ value: String) throws(APIError) -> Int64 {
    let digits = value.utf8.drop { $0 == UInt8(ascii: "-") }
    guard !digits.isEmpty, value.utf8.count - digits.count <= 1,
      digits.allSatisfy({ (0x30...0x39).contains($0) })
    else { throw .parameter(.notAnInteger(name: name, value: value)) }
    return Int64(value) ?? (value.hasPrefix("-") ? .min : .max)
  }
}

extension Int64 {
  /// The next integer, as far as there is one.
  fileprivate var successor: Int64 { self == .max ? self : self + 1 }
}
