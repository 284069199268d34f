internal import Conversations
internal import JSON

/// Reads the items of a request against the table of types, and makes of each what is stored
/// (contract, sections 8.2 and 8.3).
struct ItemReader {
  /// The types that are taken.
  let types: ItemTypes
  /// The clock, for ids that are minted.
  let unixSeconds: Int64

  /// The items of an append: one at least.
  ///
  /// - Parameter value: The member `items`, if it is there.
  /// - Throws: The first fault, in the contract's order.
  func appended(_ value: JSON?) throws(APIError) -> [AddedItem] {
    guard let value else { throw .body(.missingParameter("items")) }
    guard let elements = value.elements else { throw .item(.notAnArray(value.kind)) }
    guard !elements.isEmpty else { throw .item(.none) }
    return try added(elements)
  }

  /// The items of a new conversation, which needs none.
  ///
  /// - Parameter value: The member `items`, if it is there.
  /// - Throws: The first fault, in the contract's order.
  func created(_ value: JSON?) throws(APIError) -> [AddedItem] {
    guard let value, value.kind != .null else { return [] }
    guard let elements = value.elements else { throw .item(.notAnArray(value.kind)) }
    return try added(elements)
  }

  /// An item as an export has it: with an id and a type. One of a type that is known keeps its rules;
  /// of any other type only the form is looked at.
  ///
  /// - Throws: The first fault.
  func stored(_ element: JSON, path: String) throws(APIError) -> Item {
    let members = try element.requireMembers(path)
    let type = try element.requireString("type", in: path)
    let id = try element.requireString("id", in: path)
    if types[type] != nil {
      let added = try SentItem(element, path: path, types: types).added(at: unixSeconds)
      if case .item(let item) = added { return item }
    }
    guard types[type] == nil, ItemType.isName(type) else {
      throw .parameter(.notAChoice(name: "\(path).type", value: type, choices: types.names))
    }
    guard let itemID = ItemID(id) else {
      throw .item(.id(path: "\(path).id", value: id, .otherCharacters))
    }
    var writer = JSONWriter(capacity: element.text.count)
    writer.raw("{")
    for member in members where !["id", "type"].contains(where: member.hasKey) {
      writer.member(member)
    }
    writer.raw("}")
    return Item(id: itemID, type: type, fields: writer.bytes)
  }

  private func added(_ elements: [JSON]) throws(APIError) -> [AddedItem] {
    guard elements.count <= Item.addedMax else { throw .item(.tooMany(count: elements.count)) }
    var added: [AddedItem] = []
    for (index, element) in elements.enumerated() {
      let item = try SentItem(element, path: "items[\(index)]", types: types)
      if let item = try item.added(at: unixSeconds) { added.append(item) }
    }
    return added
  }
}

/// One item as it was sent, which has its type and the members that this needs.
private struct SentItem {
  private let json: JSON
  private let members: [JSON.Member]
  private let path: String
  private let type: ItemType

  init(_ json: JSON, path: String, types: ItemTypes) throws(APIError) {
    self.json = json
    self.path = path
    members = try json.requireMembers(path)
    type = try Self.type(of: json, path: path, types: types)
    for requirement in type.required {
      try json.require(requirement.name, requirement.value, in: path)
    }
  }

  /// What is added; nil for what is only taken.
  func added(at unixSeconds: Int64) throws(APIError) -> AddedItem? {
    if json.has("status") { try json.require("status", .word(ItemType.statuses), in: path) }
    if type.name == ItemType.reference.name {
      return .reference(id: try json.requireString("id", in: path))
    }
    let fields = try fields()
    let id = try sentID()
    if type.name == ItemType.reasoning.name, id == nil,
      json["encrypted_content"]?.kind != .string
    {
      throw .item(.emptyReasoning)
    }
    if type.name == ItemType.compactionTrigger.name { return nil }
    if let id { return .item(Item(id: id, type: type.name, fields: fields)) }
    var generator = SystemRandomNumberGenerator()
    let minted = ItemID(of: type, at: unixSeconds, using: &generator)
    return .minted(Item(id: minted, type: type.name, fields: fields))
  }

  /// Without a type, what has a role is a message, and what has an id alone is a reference.
  private static func type(
    of json: JSON, path: String, types: ItemTypes
  ) throws(APIError) -> ItemType {
    if json.has("type") {
      try json.require("type", .word(types.names), in: path)
      if let type = json["type"]?.string.flatMap({ types[$0] }) { return type }
    }
    if json.has("role") { return .message }
    if json.has("id") { return .reference }
    throw .body(.missingParameter("\(path).type"))
  }

  private func sentID() throws(APIError) -> ItemID? {
    guard json.has("id") else { return nil }
    let text = try json.requireString("id", in: path)
    do throws(ItemIDError) {
      return try ItemID(text, of: type)
    } catch {
      throw .item(.id(path: "\(path).id", value: text, error))
    }
  }

  /// The members but for `id` and `type`, `status` first.
  private func fields() throws(APIError) -> [UInt8] {
    var writer = JSONWriter(capacity: json.text.count + 32)
    writer.raw("{")
    if type.hasStatus, !json.has("status") {
      writer.member(#""status":"#)
      writer.string(ItemType.defaultStatus)
    } else if let status = members.first(where: { $0.hasKey("status") }) {
      writer.member(status)
    }
    for member in members where !["id", "type", "status"].contains(where: member.hasKey) {
      if type.name == ItemType.message.name, member.hasKey("content") {
        writer.member(#""content":"#)
        try write(content: member.value, to: &writer)
      } else {
        writer.member(member)
      }
    }
    writer.raw("}")
    return writer.bytes
  }

  /// A string becomes the one part of an array.
  private func write(content: JSON, to writer: inout JSONWriter) throws(APIError) {
    guard let parts = content.elements else {
      let isOutput = json["role"]?.string == "assistant"
      writer.raw(
        isOutput ? #"[{"type":"output_text","text":"# : #"[{"type":"input_text","text":"#)
      writer.value(content)
      writer.raw(isOutput ? #","annotations":[],"logprobs":[]}]"# : "}]")
      return
    }
    writer.raw("[")
    for (index, part) in parts.enumerated() {
      if index > 0 { writer.raw(",") }
      try write(part: part, path: "\(path).content[\(index)]", to: &writer)
    }
    writer.raw("]")
  }

  private func write(
    part: JSON, path: String, to writer: inout JSONWriter
  ) throws(APIError) {
    let members = try part.requireMembers(path)
    let type = try part.requireString("type", in: path)
    switch type {
    case "input_text", "output_text", "text", "summary_text", "reasoning_text":
      try part.require("text", .string, in: path)
    case "refusal":
      try part.require("refusal", .string, in: path)
    default: break
    }
    writer.raw("{")
    for member in members { writer.member(member) }
    switch type {
    case "output_text":
      if part["annotations"] == nil { writer.raw(#","annotations":[]"#) }
      if part["logprobs"] == nil { writer.raw(#","logprobs":[]"#) }
    case "input_image":
      if part["detail"] == nil { writer.raw(#","detail":"auto""#) }
    default: break
    }
    writer.raw("}")
  }
}

extension JSON {
  /// Whether it is an object with a member that is not null.
  fileprivate func has(_ name: String) -> Bool {
    self[name].map { $0.kind != .null } ?? false
  }

  fileprivate func requireMembers(_ path: String) throws(APIError) -> [Member] {
    guard let members else {
      throw .item(.wrongType(path: path, expected: .object, kind))
    }
    return members
  }

  /// Looks whether a member is there, then at its type, then at its value.
  fileprivate func require(
    _ name: String, _ expected: ItemType.Value, in path: String
  ) throws(APIError) {
    let path = "\(path).\(name)"
    guard let value = self[name] else { throw .body(.missingParameter(path)) }
    guard expected.allows(value.kind) else {
      throw .item(.wrongType(path: path, expected: expected, value.kind))
    }
    guard case .word(let words) = expected, let word = value.string else { return }
    guard words.contains(where: word.hasSameBytes) else {
      throw .parameter(.notAChoice(name: path, value: word, choices: words))
    }
  }

  fileprivate func requireString(_ name: String, in path: String) throws(APIError) -> String {
    try require(name, .string, in: path)
    return self[name]?.string ?? ""
  }
}

extension ItemType.Value {
  fileprivate func allows(_ kind: JSON.Kind) -> Bool {
    switch self {
    case .string, .word: kind == .string
    case .array: kind == .array
    case .object: kind == .object
    case .boolean: kind == .boolean
    case .stringOrArray: kind == .string || kind == .array
    case .anything: true
    }
  }
}

extension JSONWriter {
  /// Writes the key of a member of the object that is open, with its colon.
  fileprivate mutating func member(_ key: StaticString) {
    if bytes.last != UInt8(ascii: "{") { raw(",") }
    raw(key)
  }

  /// Writes a member, as it was sent, of the object that is open.
  fileprivate mutating func member(_ member: JSON.Member) {
    if bytes.last != UInt8(ascii: "{") { raw(",") }
    raw(member.keyText)
    raw(":")
    value(member.value)
  }
}
