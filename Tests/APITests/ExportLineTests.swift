import Conversations
import HTTPTypes
import Repository
import Testing

@testable import API

/// The lines of an export, and what is wrong with others.
@Suite struct ExportLineTests {
  private static let id = "conv_6a3f11765ab88196bb163daa1e6dc3030eea6ca4e48c1c16"

  private func read(_ line: String, moreTypes: [String] = []) throws -> ConversationRecord {
    try ExportLine.record(of: Array(line.utf8), types: ItemTypes(more: moreTypes))
  }

  private func written(_ record: ConversationRecord) -> String {
    var bytes: [UInt8] = []
    ExportLine.append(record, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test func `a line is read as it was written`() throws {
    let line =
      #"{"id":"\#(Self.id)","object":"conversation","created_at":1782518134,"#
      + #""metadata":{"a":"\n"},"last_activity_microseconds":1782518136000001,"#
      + #""after_item":"msg_0","items":[{"id":"msg_1","type":"message","status":"completed","#
      + #""role":"user","content":[{"type":"input_text","text":"\u00e9"}],"n":1.50},"#
      + #"{"id":"x","type":"of_tomorrow"}],"items_created_at":[1782518135,1782518136],"#
      + #""has_more":true}"#
    let record = try read(line)
    #expect(record.items.map(\.createdAt) == [1_782_518_135, 1_782_518_136])
    #expect(record.afterItem == ItemID("msg_0") && record.hasMore)
    #expect(written(record) == line + "\n")
  }

  @Test func `what a line leaves out is as of its creation`() throws {
    let record = try read(
      #" {"id":"\#(Self.id)","items":[{"id":"a","type":"x"},"#
        + #"{"id":"msg_b","type":"message","role":"user","content":"Hi"}]} "#)
    #expect(record.lastActivityMicroseconds == record.conversation.id.createdAtMicroseconds)
    #expect(record.items.allSatisfy { $0.createdAt == 1_782_518_134 })
    // Items of known types become what they would if they were sent.
    let parts = #"[{"type":"input_text","text":"Hi"}]"#
    #expect(
      String(decoding: record.items[1].item.fields, as: UTF8.self)
        == #"{"status":"completed","role":"user","content":\#(parts)}"#)
    let bare = Conversation(id: record.conversation.id, metadata: .empty)
    #expect(
      try read(#"{"id":"\#(Self.id)","metadata":null}"#) == ConversationRecord(bare))
  }

  @Test func `items of several lines are one line, and are read again`() throws {
    let fields = "{\n  \"text\": \"a\\nb\",\r\n \"n\":1 }"
    let item = Item(id: ItemID("a")!, type: "x", fields: Array(fields.utf8))
    let id = try #require(ConversationID(Self.id))
    let line = written(
      ConversationRecord(
        Conversation(id: id, metadata: .empty), items: [ItemRecord(item, createdAt: 1)]))
    #expect(line.utf8.count { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") } == 1)
    let read = try read(line).items[0].item.fields
    #expect(
      String(decoding: read, as: UTF8.self).filter { $0 != " " }
        == #"{"text":"a\nb","n":1}"#)
  }

  @Test func `a page keeps its limit with the longest frames`() throws {
    let id = try #require(ConversationID(Self.id))
    let controls = String(repeating: "\u{1}", count: 500)
    let metadata = try Metadata(
      (0..<4).map { try Metadata.Pair(key: "\"\\\($0)", value: controls) })
    let conversation = Conversation(id: id, metadata: metadata)
    let name = String(repeating: "i", count: 62)
    for limit in 14_000..<14_130 {
      var builder = ExportPage.Builder(bytesMax: limit)
      let isBegun = builder.begin(
        conversation, lastActivityMicroseconds: 4_294_967_295_999_999,
        afterItem: ItemID(name + "xx"))
      #expect(isBegun)
      var number = 10
      var hasRoom = true
      while hasRoom {
        let item = Item(id: ItemID("\(name)\(number)")!, type: "x", fields: Array("{}".utf8))
        hasRoom = builder.add(
          ItemRecord(item, createdAt: 4_294_967_295), position: Int64(number))
        number += 1
      }
      #expect(builder.page.records[0].hasMore && number > 13)
      #expect(written(builder.page.records[0]).utf8.count <= limit)
    }
  }

  struct Fault: Sendable {
    /// What follows the id in the line.
    let members: String
    let code: String
    let param: String?

    init(_ members: String, _ code: String, _ param: String?) {
      (self.members, self.code, self.param) = (members, code, param)
    }
  }

  @Test(arguments: [
    Fault(#""x":1"#, "unknown_parameter", "x"),
    Fault(#""object":"list""#, "invalid_value", "object"),
    Fault(#""created_at":1"#, "invalid_value", "created_at"),
    Fault(#""metadata":[]"#, "invalid_type", "metadata"),
    Fault(#""metadata":{"a":1}"#, "invalid_type", "metadata.a"),
    Fault(#""last_activity_microseconds":"1""#, "invalid_type", "last_activity_microseconds"),
    Fault(
      #""last_activity_microseconds":-1"#, "integer_below_min_value", "last_activity_microseconds"),
    Fault(#""after_item":"a b""#, "invalid_value", "after_item"),
    Fault(#""has_more":1"#, "invalid_type", "has_more"),
    Fault(#""items":{}"#, "invalid_type", "items"),
    Fault(#""items":[1]"#, "invalid_type", "items[0]"),
    Fault(#""items":[{"id":"a"}]"#, "missing_required_parameter", "items[0].type"),
    Fault(#""items":[{"type":"x"}]"#, "missing_required_parameter", "items[0].id"),
    Fault(#""items":[{"type":"X","id":"a"}]"#, "invalid_value", "items[0].type"),
    Fault(#""items":[{"type":"item_reference","id":"a"}]"#, "invalid_value", "items[0].type"),
    Fault(#""items":[{"type":"x","id":"a b"}]"#, "invalid_value", "items[0].id"),
    Fault(
      #""items":[{"type":"message","id":"msg_a"}]"#, "missing_required_parameter",
      "items[0].role"),
    Fault(
      #""items":[{"type":"x","id":"a"},{"type":"y","id":"a"}]"#, "item_already_in_conversation",
      "items"),
    Fault(#""items_created_at":1,"items":[]"#, "invalid_type", "items_created_at"),
    Fault(#""items_created_at":[1],"items":[]"#, "invalid_value", "items_created_at"),
    Fault(
      #""items_created_at":[4294967296],"items":[{"type":"x","id":"a"}]"#,
      "integer_above_max_value", "items_created_at[0]"),
    Fault(#""id":"twice""#, "invalid_json", nil),
  ])
  func `what is wrong with a line is told`(fault: Fault) throws {
    let line = #"{"id":"\#(Self.id)",\#(fault.members)}"#
    let reader = ItemReader(types: ItemTypes(), unixSeconds: 0)
    do throws(APIError) {
      let record = try ExportLine.record(of: Array(line.utf8), reader)
      Issue.record("\(record)")
    } catch {
      let answer = ErrorResponse(.line(7, error))
      #expect(answer.status == .badRequest && answer.message.hasPrefix("Line 7: "))
      #expect(answer.code == fault.code && answer.param == fault.param)
    }
  }

  @Test func `a line without an id is none`() throws {
    let twoEnds = #"{"id":"\#(Self.id)"}}"#
    for line in ["", "1", "[]", "{}", #"{"id":1}"#, #"{"id":"conv_1"}"#, twoEnds] {
      #expect(throws: ExportLineError.self) { try read(line) }
    }
  }
}
