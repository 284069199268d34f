import Conversations

extension APICase {
  /// The items of the conversation that exists, in their order.
  static let storedItems: [AddedItem] = [("msg_1", "one"), ("msg_2", "two")].map { id, text in
    .item(Item(id: ItemID(id)!, type: "message", fields: Array(messageFields(text).utf8)))
  }

  private static let itemsPath = "/v1/conversations/{id}/items"

  private static func messageFields(_ text: String) -> String {
    #"{"status":"completed","role":"user","content":[{"type":"input_text","text":"\#(text)"}]}"#
  }

  private static func message(_ id: String, _ text: String) -> String {
    #"{"id":"\#(id)","type":"message","# + messageFields(text).dropFirst()
  }

  private static func list(_ items: (id: String, text: String)..., more: Bool = false)
    -> Expectation
  {
    let data = items.map { message($0.id, $0.text) }.joined(separator: ",")
    let ends = [items.first?.id, items.last?.id].map { $0.map { "\"\($0)\"" } ?? "null" }
    return .ok(
      #"{"object":"list","data":[\#(data)],"first_id":\#(ends[0]),"has_more":\#(more),"#
        + #""last_id":\#(ends[1])}"#)
  }

  /// Contract, section 8, but for what is wrong.
  static let items: [APICase] = [
    listed("", list(("msg_2", "two"), ("msg_1", "one"))),
    listed("?order=asc", list(("msg_1", "one"), ("msg_2", "two"))),
    listed("?limit=1", list(("msg_2", "two"), more: true)),
    listed("?limit=100&order=desc&after=msg_2", list(("msg_1", "one"))),
    listed("?order=asc&after=msg_2", list()),
    listed("?order=asc&before=msg_2", list(("msg_1", "one"))),
    listed(
      "?include%5B%5D=file_search_call.results&include[]=reasoning.encrypted_content&limit=1"
        + "&order=asc", list(("msg_1", "one"), more: true)),
    APICase("items: HEAD of the list", "HEAD", itemsPath, expect: .ok("")),
    APICase("item: read", "GET", itemsPath + "/msg_1", expect: .ok(message("msg_1", "one"))),
    APICase(
      "item: percent-encoded", "GET", itemsPath + "/%6Dsg_1?include[]=web_search_call.results",
      expect: .ok(message("msg_1", "one"))),
    APICase("item: HEAD", "HEAD", itemsPath + "/msg_1", expect: .ok("")),
    APICase(
      "item: conditions mean nothing", "GET", itemsPath + "/msg_1",
      headers: [("If-None-Match", "*"), ("If-Match", #""x""#)],
      expect: .ok(message("msg_1", "one"))),
    APICase(
      "item: deleted, and the conversation with its ETag", "DELETE", itemsPath + "/msg_1",
      headers: [("Content-Type", "application/json"), ("If-Match", #""x""#)],
      expect: conversation(#"{"topic":"test"}"#, headers: ["etag": "{etag}"])),
    appended(
      #"{"items":[{"id":"msg_3","role":"user","content":"three"}]}"#, list(("msg_3", "three"))),
    appended(
      #"{"items":[{"role":"developer","content":[],"id":"msg_3","x":{"y":1.0}}]}"#,
      .ok(
        #"{"object":"list","data":[{"id":"msg_3","type":"message","status":"completed","#
          + #""role":"developer","content":[],"x":{"y":1.0}}],"first_id":"msg_3","#
          + #""has_more":false,"last_id":"msg_3"}"#)),
    appended(#"{"items":[{"type":"compaction_trigger"}]}"#, list()),
    APICase(
      "items: include of an append", "POST",
      itemsPath + "?include[]=message.output_text.logprobs",
      body: #"{"items":[{"type":"compaction_trigger"}]}"#, expect: list()),
    APICase(
      "create: items", "POST", "/v1/conversations",
      body: #"{"items":[{"role":"user","content":"x"}],"metadata":{"a":"1"}}"#,
      expect: conversation(#"{"a":"1"}"#)),
    APICase(
      "create: a copy", "POST", "/v1/conversations",
      body: #"{"items":[{"type":"item_reference","id":"msg_1"}]}"#, expect: conversation("{}")),
  ]

  private static func listed(_ query: String, _ expectation: Expectation) -> APICase {
    APICase("items: \(query)", "GET", itemsPath + query, expect: expectation)
  }

  private static func appended(_ body: String, _ expectation: Expectation) -> APICase {
    APICase("append: \(body)", "POST", itemsPath, body: body, expect: expectation)
  }

  private static func refused(
    _ method: String, _ path: String, body: String = "", _ status: Int, _ message: String,
    param: String? = nil, code: String? = nil, headers: [String: String] = [:]
  ) -> APICase {
    APICase(
      "items refused: \(method) \(path) \(body.prefix(90))", method, path, body: body,
      expect: .error(status, message, param: param, code: code, headers: headers))
  }

  /// Contract, section 8.7.
  static let itemErrors: [APICase] =
    inclusionErrors + itemQueryErrors + itemBodyErrors + unknownConversations + unknownItems
    + unknownCursors + itemMethodErrors

  private static let inclusions =
    "'code_interpreter_call.outputs', 'computer_call_output.output.image_url', "
    + "'file_search_call.results', 'message.input_image.image_url', "
    + "'message.output_text.logprobs', 'reasoning.encrypted_content', "
    + "'web_search_call.action.sources', and 'web_search_call.results'"

  private static let inclusionErrors: [APICase] =
    [("GET", ""), ("POST", ""), ("GET", "/msg_1")].flatMap { (method: String, suffix: String) in
      [
        refused(
          method, itemsPath + suffix + "?include[]=x", body: method == "POST" ? "{" : "", 400,
          "Invalid value: 'x'. Supported values are: \(inclusions).", param: "include",
          code: "invalid_value"),
        refused(
          method, itemsPath + suffix + "?include=file_search_call.results", 400,
          "Invalid type for 'include': expected an array of strings, but got a string instead.",
          param: "include", code: "invalid_type"),
        refused(
          method, itemsPath + suffix + "?x=1", 400, "Unknown parameter: 'x'.", param: "x",
          code: "unknown_parameter"),
      ]
    }

  private static let itemQueryErrors: [APICase] = [
    refused(
      "GET", itemsPath + "?limit=101", 400,
      "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 101 "
        + "instead.", param: "limit", code: "integer_above_max_value"),
    refused(
      "GET", itemsPath + "?limit=0", 400,
      "Invalid 'limit': integer below minimum value. Expected a value >= 1, but got 0 instead.",
      param: "limit", code: "integer_below_min_value"),
    refused(
      "GET", "/v1/conversations/{unknown}/items?order=up", 400,
      "Invalid value: 'up'. Supported values are: 'asc' and 'desc'.", param: "order",
      code: "invalid_value"),
    refused(
      "GET", itemsPath + "?after=msg_1&after=msg_1", 400,
      "Invalid 'after': the parameter may be given only once.", param: "after",
      code: "invalid_value"),
    refused(
      "GET", itemsPath + "?metadata[a]=b", 400, "Unknown parameter: 'metadata[a]'.",
      param: "metadata[a]", code: "unknown_parameter"),
    refused(
      "POST", itemsPath + "?limit=1", 400, "Unknown parameter: 'limit'.", param: "limit",
      code: "unknown_parameter"),
    refused(
      "DELETE", itemsPath + "/msg_1?include[]=reasoning.encrypted_content", 400,
      "Unknown parameter: 'include[]'.", param: "include[]", code: "unknown_parameter"),
  ]

  private static let withoutItems: [APICase] = ["", "null", "{}", #"{"x":1}"#].map {
    refused(
      "POST", itemsPath, body: $0, 400, "Missing required parameter: 'items'.", param: "items",
      code: "missing_required_parameter")
  }

  private static let itemBodyErrors: [APICase] =
    withoutItems + [
      refused(
        "POST", itemsPath, body: #"{"items":[],"metadata":{}}"#, 400,
        "Unknown parameter: 'metadata'.", param: "metadata", code: "unknown_parameter"),
      refused(
        "POST", itemsPath, body: #"{"items":null}"#, 400,
        "Invalid type for 'items': expected an array of objects, but got null instead.",
        param: "items", code: "invalid_type"),
      refused(
        "POST", "/v1/conversations", body: #"{"items":{}}"#, 400,
        "Invalid type for 'items': expected an array of objects, but got an object instead.",
        param: "items", code: "invalid_type"),
      refused(
        "POST", "/v1/conversations", body: #"{"items":{},"metadata":5}"#, 400,
        "Invalid type for 'metadata': expected a metadata object, but got an integer instead.",
        param: "metadata", code: "invalid_type"),
      refused(
        "POST", "/v1/conversations/{unknown}/items", body: #"{"items":[]}"#, 400,
        "Invalid 'items': empty array. Expected an array with minimum length 1, but got an empty "
          + "array instead.", param: "items", code: "empty_array"),
      refused(
        "POST", itemsPath,
        body: #"{"items":["# + Array(repeating: "{}", count: 21).joined(separator: ",") + "]}", 400,
        "Invalid 'items': array too long. Expected an array with maximum length 20, but got an "
          + "array with length 21 instead.", param: "items", code: "array_above_max_length"),
      refused(
        "POST", itemsPath, body: #"{"items":[{"type":"message","content":"x"}]}"#, 400,
        "Missing required parameter: 'items[0].role'.", param: "items[0].role",
        code: "missing_required_parameter"),
      refused(
        "POST", itemsPath, body: #"{"items":[{"type":"reasoning","summary":[]}]}"#, 400,
        "Invalid item", param: "item", code: "invalid_item"),
      refused(
        "POST", itemsPath, body: #"{"items":[{"id":"item_1","role":"user","content":""}]}"#, 400,
        "Invalid 'items[0].id': 'item_1'. Expected an ID that begins with 'msg'.",
        param: "items[0].id", code: "invalid_value"),
      refused(
        "POST", itemsPath, body: #"{"items":[{"id":"msg_2","role":"user","content":""}]}"#, 400,
        "Item already in conversation", param: "items", code: "item_already_in_conversation"),
      refused(
        "POST", itemsPath,
        body: #"{"items":[{"id":"msg_3","role":"user","content":""},"#
          + #"{"id":"msg_3","role":"user","content":""}]}"#, 400,
        "Item already in conversation", param: "items", code: "item_already_in_conversation"),
    ]

  private static let unknownConversations: [APICase] =
    [
      ("GET", "", ""), ("GET", "/msg_1", ""), ("DELETE", "/msg_1", ""),
      ("POST", "", #"{"items":[{"role":"user","content":""}]}"#),
    ].flatMap { (method: String, suffix: String, body: String) in
      ["conv_" + String(repeating: "0", count: 48), "x"].map { (id: String) in
        refused(
          method, "/v1/conversations/\(id)/items\(suffix)", body: body, 404,
          "Conversation with id '\(id)' not found.")
      }
    }

  private static let unknownItems: [APICase] =
    ["GET", "DELETE"].flatMap { (method: String) in
      [
        ("msg_x", "msg_x"), ("msg_%20x", "msg_ x"), ("%C3%BC", "ü"),
        (String(repeating: "m", count: 65), "mmm...mmm"),
      ].map { (sent: String, shown: String) in
        refused(
          method, "\(itemsPath)/\(sent)", 404,
          "Item with id '\(shown)' not found in conversation.")
      }
    }
    + [itemsPath, "/v1/conversations"].map { (path: String) in
      refused(
        "POST", path, body: #"{"items":[{"type":"item_reference","id":"a b"}]}"#, 404,
        "Item with id 'a b' not found.", param: "items")
    }

  private static let unknownCursors: [APICase] =
    ["after", "before"].flatMap { (cursor: String) in
      ["msg_x", ""].map { (id: String) in
        refused(
          "GET", "\(itemsPath)?\(cursor)=\(id)", 404, "No item found with id '\(id)'",
          param: cursor)
      }
    }

  private static let itemMethodErrors: [APICase] =
    [
      ("PUT", itemsPath, "GET, HEAD, POST"), ("POST", "\(itemsPath)/msg_1", "DELETE, GET, HEAD"),
    ].map { (method: String, path: String, allowed: String) in
      refused(
        method, path, 405,
        "Not allowed to \(method) on \(path). "
          + "(HINT: Perhaps you meant to use a different HTTP method?)",
        code: "method_not_supported", headers: ["allow": allowed])
    }
}
