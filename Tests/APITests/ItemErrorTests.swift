import Conversations
import JSON
import Testing

@testable import API

/// Contract, section 8.7, row by row, and the order of the checks.
@Suite struct ItemErrorTests {
  private func answer(_ items: String, isCreation: Bool = false) throws -> ErrorResponse? {
    let json = try JSON(parsing: Array(#"{"items":\#(items)}"#.utf8))
    let reader = ItemReader(types: ItemTypes(), unixSeconds: 0)
    do throws(APIError) {
      _ = try isCreation ? reader.created(json["items"]) : reader.appended(json["items"])
      return nil
    } catch {
      return ErrorResponse(error)
    }
  }

  @Test func `items must be there`() {
    do throws(APIError) {
      _ = try ItemReader(types: ItemTypes(), unixSeconds: 0).appended(nil)
      Issue.record("was taken")
    } catch {
      let answer = ErrorResponse(error)
      #expect(answer.message == "Missing required parameter: 'items'.")
      #expect(answer.code == "missing_required_parameter" && answer.param == "items")
    }
  }

  @Test(arguments: [
    (
      "null", "Invalid type for 'items': expected an array of objects, but got null instead.",
      "invalid_type"
    ),
    (
      "{}", "Invalid type for 'items': expected an array of objects, but got an object instead.",
      "invalid_type"
    ),
    (
      "[]",
      "Invalid 'items': empty array. Expected an array with minimum length 1, but got an empty "
        + "array instead.", "empty_array"
    ),
    (
      "[" + String(repeating: "0,", count: 20) + "0]",
      "Invalid 'items': array too long. Expected an array with maximum length 20, but got an array "
        + "with length 21 instead.", "array_above_max_length"
    ),
  ])
  func `items is an array of 1 to 20`(items: String, message: String, code: String) throws {
    let answer = try #require(try answer(items))
    #expect(answer.message == message)
    #expect(answer.code == code && answer.param == "items")
  }

  @Test(arguments: [
    (#""x""#, "", "expected an object, but got a string"),
    (#"{"type":5}"#, ".type", "expected a string, but got an integer"),
    (#"{"type":"function_call","call_id":7}"#, ".call_id", "expected a string, but got an integer"),
    (
      #"{"role":"user","content":7}"#, ".content",
      "expected one of a string or array of objects, but got an integer"
    ),
    (
      #"{"role":"user","content":null}"#, ".content",
      "expected one of a string or array of objects, but got null"
    ),
    (#"{"type":"reasoning","summary":"x"}"#, ".summary", "expected an array, but got a string"),
    (
      #"{"type":"shell_call","call_id":"","action":[]}"#, ".action",
      "expected an object, but got an array"
    ),
    (
      #"{"type":"mcp_approval_response","approval_request_id":"","approve":"yes"}"#, ".approve",
      "expected a boolean, but got a string"
    ),
    (
      #"{"type":"web_search_call","status":1.5}"#, ".status",
      "expected a string, but got a decimal number"
    ),
    (#"{"type":"web_search_call","id":true}"#, ".id", "expected a string, but got a boolean"),
    (#"{"type":"item_reference","id":null}"#, ".id", "expected a string, but got null"),
    (#"{"role":"user","content":["x"]}"#, ".content[0]", "expected an object, but got a string"),
    (
      #"{"role":"user","content":[{"type":"x"},{"type":null}]}"#, ".content[1].type",
      "expected a string, but got null"
    ),
    (
      #"{"role":"user","content":[{"type":"input_text","text":[]}]}"#, ".content[0].text",
      "expected a string, but got an array"
    ),
  ])
  func `a value of another kind`(item: String, path: String, words: String) throws {
    let answer = try #require(try answer("[\(item)]"))
    #expect(answer.message == "Invalid type for 'items[0]\(path)': \(words) instead.")
    #expect(answer.code == "invalid_type" && answer.param == "items[0]\(path)")
  }

  @Test(arguments: [
    ("{}", "type"), (#"{"content":"x"}"#, "type"), (#"{"role":null,"content":"x"}"#, "type"),
    (#"{"type":"message"}"#, "role"), (#"{"role":"user"}"#, "content"),
    (#"{"type":"item_reference"}"#, "id"), (#"{"type":"tool_search_call"}"#, "arguments"),
    (#"{"role":"user","content":[{"text":"x"}]}"#, "content[0].type"),
    (#"{"role":"user","content":[{"type":"a"},{"type":"output_text"}]}"#, "content[1].text"),
    (#"{"role":"user","content":[{"type":"refusal","text":"x"}]}"#, "content[0].refusal"),
  ])
  func `a member that is missing`(item: String, path: String) throws {
    let answer = try #require(try answer(#"[{"role":"user","content":""},\#(item)]"#))
    #expect(answer.message == "Missing required parameter: 'items[1].\(path)'.")
    #expect(answer.code == "missing_required_parameter" && answer.param == "items[1].\(path)")
  }

  @Test(arguments: [
    (
      #"{"role":"bot","content":""}"#, "role", "bot",
      "'assistant', 'system', 'developer', and 'user'"
    ),
    (#"{"type":"additional_tools","role":"user","tools":[]}"#, "role", "user", "'developer'"),
    (
      #"{"type":"mcp_call","server_label":"","name":"","arguments":"","status":"done"}"#, "status",
      "done",
      "'calling', 'completed', 'failed', 'generating', 'in_progress', 'incomplete', "
        + "'interpreting', and 'searching'"
    ),
    (
      #"{"type":"mesage"}"#, "type", "mesage",
      ItemTypes().names.dropLast().map { "'\($0)', " }.joined() + "and 'web_search_call'"
    ),
    (
      #"{"type":"\#(String(repeating: "x", count: 65))"}"#, "type", "xxx...xxx",
      ItemTypes().names.dropLast().map { "'\($0)', " }.joined() + "and 'web_search_call'"
    ),
  ])
  func `a word that is none of those`(
    item: String, path: String, word: String, words: String
  ) throws {
    let answer = try #require(try answer("[\(item)]"))
    #expect(answer.message == "Invalid value: '\(word)'. Supported values are: \(words).")
    #expect(answer.code == "invalid_value" && answer.param == "items[0].\(path)")
  }

  @Test(arguments: [
    (
      String(repeating: "m", count: 68), "string_above_max_length",
      "Invalid 'items[0].id': string too long. Expected a string with maximum length 64, but got a "
        + "string with length 68 instead."
    ),
    (
      "a b", "invalid_value",
      "Invalid 'items[0].id': 'a b'. Expected an ID that contains letters, numbers, underscores, or "
        + "dashes, but this value contained additional characters."
    ),
    (
      "item_1", "invalid_value",
      "Invalid 'items[0].id': 'item_1'. Expected an ID that begins with 'msg'."
    ),
  ])
  func `an id that cannot be one`(id: String, code: String, message: String) throws {
    let answer = try #require(try answer(#"[{"role":"user","content":"","id":"\#(id)"}]"#))
    #expect(answer.message == message)
    #expect(answer.code == code && answer.param == "items[0].id")
  }

  @Test(arguments: ["", #","id":null"#, #","encrypted_content":null"#, #","encrypted_content":1"#])
  func `reasoning needs an id or encrypted content`(more: String) throws {
    let answer = try #require(try answer(#"[{"type":"reasoning","summary":[]\#(more)}]"#))
    #expect(answer.message == "Invalid item")
    #expect(answer.code == "invalid_item" && answer.param == "item")
  }

  /// Each has all faults from its own on, in the contract's order.
  @Test(arguments: [
    (#"[0,{"type":1}]"#, "items[0]"),
    (#"[{"type":"message","role":5,"status":5,"content":5,"id":5},0]"#, "items[0].role"),
    (#"[{"role":"x","status":5,"content":5,"id":5}]"#, "items[0].role"),
    (#"[{"role":"user","status":5,"content":5,"id":5}]"#, "items[0].content"),
    (#"[{"role":"user","status":"x","content":[5],"id":5}]"#, "items[0].status"),
    (#"[{"role":"user","content":[5],"id":5}]"#, "items[0].content[0]"),
    (#"[{"role":"user","content":[],"id":5},0]"#, "items[0].id"),
    (#"[{"type":"reasoning","summary":[],"id":"x"}]"#, "items[0].id"),
    (#"[{"type":"reasoning","summary":[]},0]"#, "item"),
  ])
  func `the first fault is the answer`(items: String, param: String) throws {
    #expect(try answer(items)?.param == param)
  }
}
