import Conversations
import JSON
import Testing

@testable import API

/// What is stored of items, and that only what the contract names is changed (sections 8.1 to 8.4).
@Suite struct ItemReaderTests {
  private func added(_ items: String, isCreation: Bool = false) throws -> [AddedItem] {
    let json = try JSON(parsing: Array(#"{"items":\#(items)}"#.utf8))
    let reader = ItemReader(types: ItemTypes(more: ["new_call"]), unixSeconds: 0x6b09_c592)
    return try isCreation ? reader.created(json["items"]) : reader.appended(json["items"])
  }

  private func item(_ text: String) throws -> Item {
    switch try #require(added("[\(text)]").first) {
    case .item(let item), .minted(let item): return item
    case .reference: throw AnyFault()
    }
  }

  private struct AnyFault: Error {}

  @Test(arguments: [
    (
      #"{"role":"user","content":"Grüße"}"#,
      #"{"status":"completed","role":"user","content":[{"type":"input_text","text":"Grüße"}]}"#
    ),
    (
      #"{"content":"","role":"system","type":null,"id":null}"#,
      #"{"status":"completed","content":[{"type":"input_text","text":""}],"role":"system"}"#
    ),
    (
      #"{"role":"assistant","content":"\u0000\/ \n","status":"incomplete","type":"message"}"#,
      #"{"status":"incomplete","role":"assistant","content":[{"type":"output_text","#
        + #""text":"\u0000\/ \n","annotations":[],"logprobs":[]}]}"#
    ),
    (
      #"{"role":"user","content":[],"status":null}"#,
      #"{"status":"completed","role":"user","content":[]}"#
    ),
    (
      #"{"role":"assistant","content":[{"type":"output_text","text":"a","logprobs":null}]}"#,
      #"{"status":"completed","role":"assistant","content":[{"type":"output_text","text":"a","#
        + #""logprobs":null,"annotations":[]}]}"#
    ),
    (
      #"{"role":"assistant","content":[{"text":"a","type":"output_text"},{"type":"input_text","#
        + #""text":"b"},{"type":"refusal","refusal":"c"}]}"#,
      #"{"status":"completed","role":"assistant","content":[{"text":"a","type":"output_text","#
        + #""annotations":[],"logprobs":[]},{"type":"input_text","text":"b"},"#
        + #"{"type":"refusal","refusal":"c"}]}"#
    ),
    (
      #"{"role":"user","content":[{"type":"input_image","x":1},{"type":"input_image","detail":"low"}]}"#,
      #"{"status":"completed","role":"user","content":[{"type":"input_image","x":1,"detail":"auto"},"#
        + #"{"type":"input_image","detail":"low"}]}"#
    ),
    (
      #"{"role":"user","content":[{"type":"new_part","text":5}]}"#,
      #"{"status":"completed","role":"user","content":[{"type":"new_part","text":5}]}"#
    ),
  ])
  func `a message is stored with parts`(sent: String, fields: String) throws {
    let item = try item(sent)
    #expect(item.type == "message")
    #expect(String(decoding: item.fields, as: UTF8.self) == fields)
    #expect(item.id.description.hasPrefix("msg_6b09c592") && item.id.isOfMintedForm)
  }

  @Test(arguments: [
    #""role":"user""#, #""x" : 1e400"#, #""\u0061":18446744073709551616"#, #""b":{"c" : [ 1.0 ]}"#,
    #""phase":null"#, #""é\u0000":"\u00e9\/ ""#, #""content":"not a message's""#,
  ])
  func `what the service does not know comes back as it was sent`(member: String) throws {
    let item = try item(
      #"{ \#(member) , "type":"mcp_call", "server_label":"s","id":"mcp_x","#
        + #""arguments":"{ }","name":"n" }"#)
    let compact = member.replacing(" :", with: ":").replacing(": ", with: ":")
      .replacing("[ 1.0 ]", with: "[1.0]")
    #expect(
      String(decoding: item.fields, as: UTF8.self)
        == #"{\#(compact),"server_label":"s","arguments":"{ }","name":"n"}"#)
    #expect(item.id.description == "mcp_x")
  }

  @Test(arguments: [
    (#"{"type":"new_call"}"#, "{}"), (#"{"type":"new_call","status":null}"#, #"{"status":null}"#),
    (
      #"{"type":"mcp_list_tools","tools":[],"server_label":"","status":"failed"}"#,
      #"{"status":"failed","tools":[],"server_label":""}"#
    ),
    (#"{"type":"web_search_call"}"#, #"{"status":"completed"}"#),
    (#"{"type":"tool_search_call","arguments":null}"#, #"{"status":"completed","arguments":null}"#),
    (
      #"{"type":"reasoning","summary":[],"encrypted_content":"x"}"#,
      #"{"summary":[],"encrypted_content":"x"}"#
    ),
    (
      #"{"type":"reasoning","summary":[{"type":"summary_text"}],"id":"rs_1"}"#,
      #"{"summary":[{"type":"summary_text"}]}"#
    ),
    (
      #"{"type":"function_call_output","output":[{"type":"input_image"}],"call_id":7}"#,
      #"{"status":"completed","output":[{"type":"input_image"}],"call_id":7}"#
    ),
  ])
  func `a status is completed where the type has one`(sent: String, fields: String) throws {
    #expect(try String(decoding: item(sent).fields, as: UTF8.self) == fields)
  }

  @Test(arguments: [
    #"{"id":"a b, no matter"}"#, #"{"type":"item_reference","id":"a b, no matter"}"#,
  ])
  func `a reference takes any text`(sent: String) throws {
    #expect(try added("[\(sent)]") == [.reference(id: "a b, no matter")])
  }

  @Test func `a compaction trigger counts, and is not stored`() throws {
    let trigger = #"{"type":"compaction_trigger"}"#
    #expect(try added("[\(trigger),\(trigger)]").isEmpty)
    let many = repeatElement(trigger, count: 21).joined(separator: ",")
    #expect(throws: APIError.self) { try added("[\(many)]") }
  }

  @Test(arguments: ["null", "[]"])
  func `a new conversation needs no items`(items: String) throws {
    #expect(try added(items, isCreation: true).isEmpty)
    #expect(try ItemReader(types: ItemTypes(), unixSeconds: 0).created(nil).isEmpty)
  }

  @Test(arguments: [
    (
      #"{"type":"message","role":"user","content":[],"id":"msg_1"}"#,
      #"{"id":"msg_1","type":"message","status":"completed","role":"user","content":[]}"#
    ),
    (#"{"type":"configuration_update","id":"x"}"#, #"{"id":"x","type":"configuration_update"}"#),
  ])
  func `an item is answered with its id and type first`(sent: String, answered: String) throws {
    #expect(try String(decoding: JSONBody.item(item(sent)).bytes, as: UTF8.self) == answered)
  }
}
