extension APICase {
  private static func update(
    _ name: String, _ metadata: String, _ message: String, param: String? = "metadata",
    code: String
  ) -> APICase {
    APICase(
      name, "POST", "/v1/conversations/{id}", body: #"{"metadata":\#(metadata)}"#,
      expect: .error(400, message, param: param, code: code))
  }

  private static func typeError(_ got: String, _ json: String) -> [APICase] {
    let whole = "Invalid type for 'metadata': expected a metadata object, but got \(got) instead."
    let value = "Invalid type for 'metadata.k': expected a string, but got \(got) instead."
    return [
      update("type of metadata: \(got) \(json)", json, whole, code: "invalid_type"),
      update(
        "type of a value: \(got) \(json)", "{\"k\":\(json)}", value, param: "metadata.k",
        code: "invalid_type"),
    ]
  }

  /// Contract, section 2.
  static let metadata: [APICase] =
    typeError("an array", "[]") + typeError("an integer", "12")
    + typeError("an integer", "18446744073709551616") + typeError("a decimal number", "1.0")
    + typeError("a decimal number", "1e400") + typeError("a boolean", "false")
    + typeError("a string", "\"x\"").prefix(1) + typeError("null", "null").suffix(1)
    + typeError("an object", "{}").suffix(1) + [
      update(
        "17 pairs", object(17),
        "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, "
          + "but got an object with 17 properties instead.", code: "object_above_max_properties"),
      update(
        "17 pairs are told before a value's type", object(17, value: "1"),
        "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, "
          + "but got an object with 17 properties instead.", code: "object_above_max_properties"),
      update(
        "key of 70", #"{"\#(long("k", 70))":""}"#,
        "Invalid property name in 'metadata': 'kkk...kkk' is too long. Expected a string with "
          + "maximum length 64, but got a string with length 70 instead.",
        param: "metadata.\(long("k", 70))", code: "property_name_above_max_length"),
      update(
        "value of 600", #"{"k":"\#(long("v", 600))"}"#,
        "Invalid 'metadata.k': string too long. Expected a string with maximum length 512, but got "
          + "a string with length 600 instead.", param: "metadata.k",
        code: "string_above_max_length"),
      update(
        "513 emoji in a value, under a key of 21",
        #"{"abcdefghijklmnopqrstu":"\#(long("😀", 513))"}"#,
        "Invalid 'metadata.abc...stu': string too long. Expected a string with maximum length 512, "
          + "but got a string with length 513 instead.", param: "metadata.abcdefghijklmnopqrstu",
        code: "string_above_max_length"),
      update(
        "a key of 20 is shown whole", #"{"abcdefghijklmnopqrst":1}"#,
        "Invalid type for 'metadata.abcdefghijklmnopqrst': expected a string, but got an integer "
          + "instead.", param: "metadata.abcdefghijklmnopqrst", code: "invalid_type"),
      update(
        "U+0000 in a key", #"{"a\u0000b":""}"#,
        "Invalid property name in 'metadata': 'a\0b' contains U+0000. Expected a string without "
          + "it.", param: "metadata.a\0b", code: "invalid_value"),
      update(
        "U+0000 in a value", #"{"a":"\u0000"}"#,
        "Invalid 'metadata.a': string contains U+0000. Expected a string without it.",
        param: "metadata.a", code: "invalid_value"),
      update(
        "the first fault in the order sent", #"{"z":"ok","y":1,"\#(long("k", 65))":"","a":null}"#,
        "Invalid type for 'metadata.y': expected a string, but got an integer instead.",
        param: "metadata.y", code: "invalid_type"),
      update(
        "of one pair, the type before the key", #"{"\#(long("k", 65))":null}"#,
        "Invalid type for 'metadata.kkk...kkk': expected a string, but got null instead.",
        param: "metadata.\(long("k", 65))", code: "invalid_type"),
      update(
        "of one pair, the key before the value", #"{"\#(long("k", 65))":"\#(long("v", 513))"}"#,
        "Invalid property name in 'metadata': 'kkk...kkk' is too long. Expected a string with "
          + "maximum length 64, but got a string with length 65 instead.",
        param: "metadata.\(long("k", 65))", code: "property_name_above_max_length"),
    ]

  /// Contract, section 4: the body.
  static let json: [APICase] =
    [
      "{", "{}x", #"{"a":1,}"#, "\u{FEFF}{}", #"{"metadata":{"k":"\ud800"}}"#, "{'a':1}", " ",
      "{\"a\":\"\u{1}\"}", "nul", "01",
    ].map { body in
      APICase(
        "malformed: \(body.debugDescription)", "POST", "/v1/conversations", body: body,
        expect: .hinted(
          400,
          prefix: "Invalid body: failed to parse JSON value. Please check the value to ensure it "
            + "is valid JSON.", code: "invalid_json"))
    } + [
      APICase(
        "not UTF-8", "POST", "/v1/conversations",
        bytes: Array(#"{"metadata":{"k":""#.utf8) + [0xff] + Array("\"}}".utf8),
        expect: .hinted(400, prefix: "Invalid body: not valid UTF-8.", code: "invalid_json")),
      APICase(
        "duplicate key", "POST", "/v1/conversations", body: #"{"metadata":{"k":"1","k":"2"}}"#,
        expect: .hinted(
          400, prefix: "Invalid body: duplicate JSON key.",
          suffix: "Duplicate JSON keys are not supported.", code: "invalid_json")),
      APICase(
        "too deep", "POST", "/v1/conversations", body: long("[", 65) + long("]", 65),
        expect: .error(
          400, "Invalid body: JSON nested too deep. The limit is 64 levels.", code: "invalid_json")),
      APICase(
        "deep enough", "POST", "/v1/conversations", body: long("[", 64) + long("]", 64),
        expect: .error(
          400, "Invalid type: expected an object, but got an array instead.", code: "invalid_type")),
      APICase(
        "too many values", "POST", "/v1/conversations", body: "[" + long("0,", 262_144) + "0]",
        expect: .error(
          400, "Invalid body: too many JSON values. The limit is 262144 values.",
          code: "invalid_json")),
      APICase(
        "a string", "POST", "/v1/conversations", body: #""metadata""#,
        expect: .error(
          400, "Invalid type: expected an object, but got a string instead.", code: "invalid_type")),
      APICase(
        "another content type", "POST", "/v1/conversations",
        headers: [("Content-Type", "text/plain; charset=utf-8")], body: "{}",
        expect: .error(
          400,
          "Unsupported content type: 'text/plain'. This API method only accepts "
            + "'application/json' requests.", code: "unsupported_content_type")),
      APICase(
        "content type before JSON", "POST", "/v1/conversations/{id}",
        headers: [("Content-Type", "application/x-www-form-urlencoded")], body: "{",
        expect: .error(
          400,
          "Unsupported content type: 'application/x-www-form-urlencoded'. This API method only "
            + "accepts 'application/json' requests.", code: "unsupported_content_type")),
      APICase(
        "too large", "POST", "/v1/conversations", body: long(" ", Service.bodyBytesMax + 1),
        expect: .error(
          413, "Request body too large. The limit is 1048576 bytes.", code: "request_too_large")),
      APICase(
        "too large, on an unknown route", "POST", "/v1/x",
        body: long(" ", Service.bodyBytesMax + 1),
        expect: .error(404, "Invalid URL (POST /v1/x)")),
    ]

  static func object(_ count: Int, value: String = "\"\"") -> String {
    "{" + (0..<count).map { "\"\($0)\":\(value)" }.joined(separator: ",") + "}"
  }

  private static func long(_ piece: String, _ count: Int) -> String {
    String(repeating: piece, count: count)
  }
}
