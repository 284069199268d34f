extension APICase {
  private static let path = "/v1/conversations/{id}"
  private static let mergePatch = ("Content-Type", "application/merge-patch+json")

  private static func patch(
    _ name: String, _ body: String, stored: KeyValuePairs<String, String> = ["topic": "test"],
    gives metadata: String
  ) -> APICase {
    APICase(
      "patch: \(name)", "PATCH", path, headers: [mergePatch], body: body, stored: stored,
      expect: conversation(metadata))
  }

  private static func refused(
    _ name: String, _ body: String, _ message: String, param: String? = "metadata", code: String
  ) -> APICase {
    APICase(
      "patch: \(name)", "PATCH", path, headers: [mergePatch], body: body,
      expect: .error(400, message, param: param, code: code))
  }

  /// Contract, section 7: `PATCH /v1/conversations/{id}`.
  static let patches: [APICase] =
    changes + wrongTypes + limits + bodies
    + ["application/json", "Application/Merge-Patch+JSON ; charset=utf-8"].map {
      APICase(
        "patch: content type \($0)", "PATCH", path, headers: [("Content-Type", $0)],
        body: #"{"metadata":{"a":"1"}}"#, expect: conversation(#"{"a":"1","topic":"test"}"#))
    }

  private static let changes: [APICase] = [
    patch("sets", #"{"metadata":{"a":"1"}}"#, gives: #"{"a":"1","topic":"test"}"#),
    patch("changes", #"{"metadata":{"topic":"2"}}"#, gives: #"{"topic":"2"}"#),
    patch("sets to the same", #"{"metadata":{"topic":"test"}}"#, gives: #"{"topic":"test"}"#),
    patch(
      "sets the empty key to nothing", #"{"metadata":{"":""}}"#,
      gives: #"{"":"","topic":"test"}"#),
    patch("removes", #"{"metadata":{"topic":null}}"#, gives: "{}"),
    patch(
      "removes, changes, sets and keeps", #"{"metadata":{"c":"new","a":null,"b":"2"}}"#,
      stored: ["a": "1", "b": "1", "k": "1"], gives: #"{"b":"2","c":"new","k":"1"}"#),
    patch("removes what is not there", #"{"metadata":{"x":null}}"#, gives: #"{"topic":"test"}"#),
    patch("{} of metadata", #"{"metadata":{}}"#, gives: #"{"topic":"test"}"#),
    patch("null of metadata clears", #"{"metadata":null}"#, gives: "{}"),
    patch("{}", "{}", gives: #"{"topic":"test"}"#),
    patch("no body", "", gives: #"{"topic":"test"}"#),
    patch("null", "null", gives: #"{"topic":"test"}"#),
    patch(
      "one of two spellings of é", "{\"metadata\":{\"\u{E9}\":null}}",
      stored: ["\u{E9}": "1", "e\u{301}": "2"], gives: "{\"e\u{301}\":\"2\"}"),
    patch(
      "a key that could not be stored is not there",
      #"{"metadata":{"\u0000":null,"\#(long)":null}}"#,
      gives: #"{"topic":"test"}"#),
    patch(
      "nothing is left of 16", #"{"metadata":\#(object(16, value: "null"))}"#,
      stored: sixteen, gives: "{}"),
    patch(
      "16 go and one comes", #"{"metadata":{"x":"",\#(object(16, value: "null").dropFirst())}"#,
      stored: sixteen, gives: #"{"x":""}"#),
    patch(
      "one of 16 goes and one comes", #"{"metadata":{"x":"","0":null}}"#, stored: sixteen,
      gives: "{\(empty(1..<16)),\"x\":\"\"}"),
    patch(
      "a 16th pair", #"{"metadata":\#(object(15))}"#, stored: ["x": "1"],
      gives: "{\(empty(0..<15)),\"x\":\"1\"}"),
    patch(
      "17 keys that are not there", #"{"metadata":\#(object(17, value: "null"))}"#,
      gives: #"{"topic":"test"}"#),
  ]

  private static let wrongTypes: [APICase] =
    [
      ("an array", "[]"), ("an integer", "1"), ("a decimal number", "1.5"), ("a boolean", "true"),
      ("a string", #""x""#),
    ].flatMap { got, json in
      [
        refused(
          "metadata is \(got)", #"{"metadata":\#(json)}"#,
          "Invalid type for 'metadata': expected a metadata object, but got \(got) instead.",
          code: "invalid_type"),
        refused(
          "the whole is \(got)", json,
          "Invalid type: expected an object, but got \(got) instead.", param: nil,
          code: "invalid_type"),
      ]
    }
    + [("an array", "[]"), ("an integer", "1"), ("an object", #"{"b":null}"#)].map { got, json in
      refused(
        "a value is \(got)", #"{"metadata":{"topic":null,"a":\#(json)}}"#,
        "Invalid type for 'metadata.a': expected a string, but got \(got) instead.",
        param: "metadata.a", code: "invalid_type")
    }
    + [
      refused(
        "an unknown member", #"{"metadata":{},"id":"x"}"#, "Unknown parameter: 'id'.", param: "id",
        code: "unknown_parameter"),
      refused(
        "an unknown member that is null", #"{"items":null}"#, "Unknown parameter: 'items'.",
        param: "items", code: "unknown_parameter"),
    ]

  private static let limits: [APICase] =
    [(16, "of the result"), (17, "of the request")].map { count, which in
      refused(
        "17 pairs \(which)", #"{"metadata":\#(object(count))}"#,
        "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, "
          + "but got an object with 17 properties instead.", code: "object_above_max_properties")
    } + [
      refused(
        "a key of 65", #"{"metadata":{"topic":null,"\#(long)":""}}"#,
        "Invalid property name in 'metadata': 'kkk...kkk' is too long. Expected a string with "
          + "maximum length 64, but got a string with length 65 instead.",
        param: "metadata.\(long)", code: "property_name_above_max_length"),
      refused(
        "a value of 513", #"{"metadata":{"k":"\#(String(repeating: "v", count: 513))"}}"#,
        "Invalid 'metadata.k': string too long. Expected a string with maximum length 512, but got "
          + "a string with length 513 instead.", param: "metadata.k",
        code: "string_above_max_length"),
      refused(
        "U+0000 in a key", #"{"metadata":{"a\u0000b":"1"}}"#,
        "Invalid property name in 'metadata': 'a\0b' contains U+0000. Expected a string without "
          + "it.", param: "metadata.a\0b", code: "invalid_value"),
      refused(
        "U+0000 in a value", #"{"metadata":{"a":"\u0000"}}"#,
        "Invalid 'metadata.a': string contains U+0000. Expected a string without it.",
        param: "metadata.a", code: "invalid_value"),
    ]

  private static let bodies: [APICase] = [
    APICase(
      "patch: another content type", "PATCH", path, headers: [("Content-Type", "text/plain")],
      body: "{}",
      expect: .error(
        400,
        "Unsupported content type: 'text/plain'. This API method only accepts "
          + "'application/merge-patch+json' or 'application/json' requests.",
        code: "unsupported_content_type")),
    APICase(
      "update: a merge patch is for PATCH", "POST", path, headers: [mergePatch],
      body: #"{"metadata":{}}"#,
      expect: .error(
        400,
        "Unsupported content type: 'application/merge-patch+json'. This API method only accepts "
          + "'application/json' requests.", code: "unsupported_content_type")),
    APICase(
      "patch: malformed", "PATCH", path, headers: [mergePatch], body: #"{"metadata":{"a":null}"#,
      expect: .hinted(
        400,
        prefix: "Invalid body: failed to parse JSON value. Please check the value to ensure it "
          + "is valid JSON.", code: "invalid_json")),
    APICase(
      "patch: a key that is set and removed", "PATCH", path,
      body: #"{"metadata":{"a":"1","a":null}}"#,
      expect: .hinted(
        400, prefix: "Invalid body: duplicate JSON key.",
        suffix: "Duplicate JSON keys are not supported.", code: "invalid_json")),
    APICase(
      "patch: an unknown conversation", "PATCH", "/v1/conversations/{unknown}",
      body: #"{"metadata":{}}"#,
      expect: .error(404, "Conversation with id '{unknown}' not found.")),
    APICase(
      "patch: what cannot be an id", "PATCH", "/v1/conversations/x", body: "{}",
      expect: .error(404, "Conversation with id 'x' not found.")),
    APICase(
      "patch: a query", "PATCH", "/v1/conversations/{id}?metadata=x", body: "{}",
      expect: .error(
        400, "Unknown parameter: 'metadata'.", param: "metadata", code: "unknown_parameter")),
  ]

  private static let long = String(repeating: "k", count: 65)

  /// The members of an object with empty values, in the order of an answer.
  private static func empty(_ keys: Range<Int>) -> String {
    keys.map { "\"\($0)\":\"\"" }.sorted().joined(separator: ",")
  }

  private static let sixteen: KeyValuePairs = [
    "0": "", "1": "", "2": "", "3": "", "4": "", "5": "", "6": "", "7": "", "8": "", "9": "",
    "10": "", "11": "", "12": "", "13": "", "14": "", "15": "",
  ]
}
