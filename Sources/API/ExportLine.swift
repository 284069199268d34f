public import Conversations
internal import HTTP
internal import JSON
public import Repository

/// A line of an export: a conversation, or a part of one, as compact JSON.
///
/// Its first four members are the conversation as clients see it; then come the moment of its last activity
/// in Unix microseconds, its items as clients see them, and for each of these the Unix second at which it
/// was added. A conversation that is too large for one line has several: all but the last have
/// `"has_more":true`, and all but the first name the item before theirs as `after_item`.
public enum ExportLine {
  /// The media types of such lines, the first of which answers have. One line alone is JSON.
  static let mediaTypes = ["application/x-ndjson", "application/jsonl", RequestBody.json]

  /// How many JSON values a line may have: one large item and what is around it.
  private static let valuesMax = 2 * JSON.valuesMax

  /// Writes a record as a line, the line feed included.
  public static func append(_ record: ConversationRecord, to bytes: inout [UInt8]) {
    var writer = JSONWriter(capacity: record.byteCount)
    writer.openConversation(record.conversation)
    writer.raw(#","last_activity_microseconds":"#)
    writer.integer(record.lastActivityMicroseconds)
    if let item = record.afterItem {
      writer.raw(#","after_item":"#)
      writer.string(item.description)
    }
    writer.raw(#","items":["#)
    for (index, item) in record.items.enumerated() {
      if index > 0 { writer.raw(",") }
      writer.item(item.item)
    }
    writer.raw(#"],"items_created_at":["#)
    for (index, item) in record.items.enumerated() {
      if index > 0 { writer.raw(",") }
      writer.integer(item.createdAt)
    }
    writer.raw(record.hasMore ? #"],"has_more":true}"# : "]}")
    let start = bytes.count
    bytes.append(contentsOf: writer.bytes)
    // Items that somebody has inserted by hand may have several lines. In JSON a line can only end
    // where white space may stand.
    for index in start..<bytes.count where Self.endsLine(bytes[index]) {
      bytes[index] = UInt8(ascii: " ")
    }
    bytes.append(UInt8(ascii: "\n"))
  }

  private static func endsLine(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
  }

  /// Reads a line.
  ///
  /// - Parameters:
  ///   - line: Without its line feed.
  ///   - types: The types that items may have.
  /// - Throws: What is wrong, for a person.
  public static func record(
    of line: [UInt8], types: ItemTypes
  ) throws(ExportLineError) -> ConversationRecord {
    do throws(APIError) {
      return try record(of: line, ItemReader(types: types, unixSeconds: 0))
    } catch {
      throw ExportLineError(description: ErrorResponse(error).message)
    }
  }

  /// Reads a line. Items of types that are known keep the rules that they keep when they are sent;
  /// what was stored comes back byte for byte.
  static func record(
    of line: [UInt8], _ reader: ItemReader
  ) throws(APIError) -> ConversationRecord {
    let json: JSON
    do {
      json = try JSON(parsing: line, valuesMax: valuesMax)
    } catch {
      throw .body(.json(error))
    }
    guard json.kind == .object else { throw .body(.notObject(json.kind)) }
    return try LineReader(json: json).record(reader)
  }
}

/// What is wrong with a line of an export.
public struct ExportLineError: Error, Sendable, CustomStringConvertible {
  /// For a person.
  public let description: String
}

/// One line on its way to a record.
private struct LineReader {
  let json: JSON

  private static let names = [
    "id", "object", "created_at", "metadata", "last_activity_microseconds", "after_item", "items",
    "items_created_at", "has_more",
  ]

  func record(_ reader: ItemReader) throws(APIError) -> ConversationRecord {
    for member in json.members ?? [] where !Self.names.contains(where: member.hasKey) {
      throw .unknownParameter(member.key)
    }
    let id = try conversationID()
    let metadata = try json["metadata"].map(RequestBody.metadata) ?? .empty
    return ConversationRecord(
      Conversation(id: id, metadata: metadata),
      lastActivityMicroseconds: try integer("last_activity_microseconds") ?? 0,
      items: try items(reader, createdAt: id.createdAt), afterItem: try afterItem(),
      hasMore: try hasMore())
  }

  private func conversationID() throws(APIError) -> ConversationID {
    guard let text = try string("id") else { throw .body(.missingParameter("id")) }
    guard let id = ConversationID(text) else {
      throw .parameter(.notAnID(name: "id", value: text))
    }
    if let object = try string("object"), !object.hasSameBytes(as: "conversation") {
      throw .parameter(.notAChoice(name: "object", value: object, choices: ["conversation"]))
    }
    if let createdAt = try integer("created_at"), createdAt != id.createdAt {
      throw .parameter(
        .notAChoice(name: "created_at", value: "\(createdAt)", choices: ["\(id.createdAt)"]))
    }
    return id
  }

  private func items(
    _ reader: ItemReader, createdAt: Int64
  ) throws(APIError) -> [ItemRecord] {
    guard let value = json["items"] else { return [] }
    guard let elements = value.elements else { throw .item(.notAnArray(value.kind)) }
    let times = try times(count: elements.count)
    var records: [ItemRecord] = []
    for (index, element) in elements.enumerated() {
      let item = try reader.stored(element, path: "items[\(index)]")
      records.append(ItemRecord(item, createdAt: times?[index] ?? createdAt))
    }
    var ids: Set<ItemID> = []
    guard records.allSatisfy({ ids.insert($0.item.id).inserted }) else {
      throw .repository(.item(.alreadyInConversation))
    }
    return records
  }

  /// - Returns: nil when the line has none.
  private func times(count: Int) throws(APIError) -> [Int64]? {
    let name = "items_created_at"
    guard let value = json[name] else { return nil }
    guard let elements = value.elements else {
      throw .body(.wrongType(name, expected: .array, value.kind))
    }
    guard elements.count == count else {
      throw .body(.wrongCount(name, expected: count, elements.count))
    }
    var times: [Int64] = []
    for (index, element) in elements.enumerated() {
      let time = try Self.integer(element, "\(name)[\(index)]")
      guard time <= UInt32.max else {
        throw .parameter(
          .tooLarge(name: "\(name)[\(index)]", value: "\(time)", largest: Int(UInt32.max)))
      }
      times.append(time)
    }
    return times
  }

  private func afterItem() throws(APIError) -> ItemID? {
    guard let text = try string("after_item") else { return nil }
    guard let id = ItemID(text) else {
      throw .item(.id(path: "after_item", value: text, .otherCharacters))
    }
    return id
  }

  private func hasMore() throws(APIError) -> Bool {
    guard let value = json["has_more"] else { return false }
    guard value.kind == .boolean else {
      throw .body(.wrongType("has_more", expected: .boolean, value.kind))
    }
    return value.text.elementsEqual("true".utf8)
  }

  private func string(_ name: String) throws(APIError) -> String? {
    guard let value = json[name] else { return nil }
    guard let text = value.string else {
      throw .body(.wrongType(name, expected: .string, value.kind))
    }
    return text
  }

  private func integer(_ name: String) throws(APIError) -> Int64? {
    try json[name].map { value throws(APIError) in try Self.integer(value, name) }
  }

  /// An integer that is not negative; one that is out of range is the largest.
  private static func integer(_ value: JSON, _ name: String) throws(APIError) -> Int64 {
    guard value.kind == .integer else {
      throw .body(.wrongType(name, expected: .integer, value.kind))
    }
    let text = String(decoding: value.text, as: UTF8.self)
    guard !text.hasPrefix("-") else {
      throw .parameter(.tooSmall(name: name, value: text, smallest: 0))
    }
    return Int64(text) ?? .max
  }
}
