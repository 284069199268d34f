/// What the contract says of a request's body (sections 2, 4 and 7), once more and on bytes only.
struct ReferenceBody {
  /// Of a body with items, whose rules are not written down here once more.
  static let itemsCode = "items"

  typealias Pairs = [[UInt8]: [UInt8]]

  /// The error that a client must see.
  struct Refusal: Error {
    let code: String
    var param: [UInt8]?
  }

  private let members: [ReferenceJSON.Member]

  init(_ text: [UInt8]) throws(Refusal) {
    if text.isEmpty {
      members = []
      return
    }
    guard let json = try? ReferenceJSON(text) else { throw Refusal(code: "invalid_json") }
    switch json {
    case .null: members = []
    case .object(let members): self.members = members
    default: throw Refusal(code: "invalid_type")
    }
  }

  func creation() throws(Refusal) -> Pairs {
    try refuseUnknown(but: ["metadata", "items"])
    switch self["items"] {
    case nil, .null: break
    case .array(let items) where items.isEmpty: break
    default: throw Refusal(code: Self.itemsCode, param: "items".bytes)
    }
    return try Self.pairs(self["metadata"] ?? .null)
  }

  func update() throws(Refusal) -> Pairs {
    guard let metadata = self["metadata"] else {
      throw Refusal(code: "missing_required_parameter", param: "metadata".bytes)
    }
    try refuseUnknown(but: ["metadata"])
    return try Self.pairs(metadata)
  }

  /// RFC 7396, with the limits for what is set and for the result.
  func patched(_ stored: Pairs) throws(Refusal) -> Pairs {
    try refuseUnknown(but: ["metadata"])
    guard let metadata = self["metadata"] else { return stored }
    guard case .object(let members) = metadata else { return try Self.pairs(metadata) }
    var result = stored
    for (key, value) in members {
      if case .null = value { result[key] = nil }
    }
    let set = members.filter { if case .null = $0.value { false } else { true } }
    result.merge(try Self.pairs(.object(set))) { $1 }
    guard result.count <= 16 else { throw Self.tooMany }
    return result
  }

  private static let tooMany = Refusal(
    code: "object_above_max_properties", param: "metadata".bytes)

  private subscript(name: String) -> ReferenceJSON? {
    members.first { $0.key == name.bytes }?.value
  }

  private func refuseUnknown(but known: [String]) throws(Refusal) {
    for member in members where !known.map(\.bytes).contains(member.key) {
      throw Refusal(code: "unknown_parameter", param: member.key)
    }
  }

  private static func pairs(_ json: ReferenceJSON) throws(Refusal) -> Pairs {
    if case .null = json { return [:] }
    guard case .object(let members) = json else {
      throw Refusal(code: "invalid_type", param: "metadata".bytes)
    }
    guard members.count <= 16 else { throw tooMany }
    var pairs: Pairs = [:]
    for (key, value) in members {
      if let code = fault(key, value) {
        throw Refusal(code: code, param: "metadata.".bytes + key)
      }
      if case .string(let text) = value { pairs[key] = text }
    }
    return pairs
  }

  private static func fault(_ key: [UInt8], _ value: ReferenceJSON) -> String? {
    guard case .string(let text) = value else { return "invalid_type" }
    if key.codePointCount > 64 { return "property_name_above_max_length" }
    if key.contains(0) { return "invalid_value" }
    if text.codePointCount > 512 { return "string_above_max_length" }
    if text.contains(0) { return "invalid_value" }
    return nil
  }
}
