extension APICase {
  static let all =
    creations + updates + others + metadata + json + targets + access + lists + listErrors
    + preconditions + patches + idempotencyKeys + items + itemErrors + facets + history

  private static let json1 = ("Content-Type", "application/json")

  static func conversation(_ metadata: String, headers: [String: String] = [:]) -> Expectation {
    .ok(
      #"{"id":"{new}","object":"conversation","created_at":{created_at},"metadata":"#
        + metadata + "}", headers: headers)
  }

  /// Contract, section 3: `POST /v1/conversations`.
  static let creations: [APICase] = [
    APICase("create: no body", "POST", "/v1/conversations", expect: conversation("{}")),
    APICase(
      "create: no body, content type sent", "POST", "/v1/conversations", headers: [json1],
      expect: conversation("{}")),
    APICase("create: {}", "POST", "/v1/conversations", body: "{}", expect: conversation("{}")),
    APICase("create: null", "POST", "/v1/conversations", body: "null", expect: conversation("{}")),
    APICase(
      "create: null members", "POST", "/v1/conversations", headers: [json1],
      body: #"{"metadata":null,"items":null}"#, expect: conversation("{}")),
    APICase(
      "create: empty items", "POST", "/v1/conversations", body: #"{"items":[]}"#,
      expect: conversation("{}")),
    APICase(
      "create: keys come back sorted by code point", "POST", "/v1/conversations",
      headers: [("content-type", "Application/JSON; charset=utf-8")],
      body: "{\"metadata\":{\"\u{1F600}\":\"1\",\"\u{FFFD}\":\"2\",\"b\":\"3\",\"\":\"\"}}",
      expect: conversation("{\"\":\"\",\"b\":\"3\",\"\u{FFFD}\":\"2\",\"\u{1F600}\":\"1\"}")),
    APICase(
      "create: two spellings of é are two keys", "POST", "/v1/conversations",
      body: "{\"metadata\":{\"\u{E9}\":\"1\",\"e\u{301}\":\"2\"}}",
      expect: conversation("{\"e\u{301}\":\"2\",\"\u{E9}\":\"1\"}")),
    APICase(
      "create: escapes", "POST", "/v1/conversations",
      body: #"{"metadata":{"a":"\"\\\/\b\u001f\n\u00e9\ud83d\ude00"}}"#,
      expect: conversation(#"{"a":"\"\\/\u0008\u001f\né😀"}"#)),
    APICase(
      "create: items", "POST", "/v1/conversations", body: #"{"items":[{"type":"message"}]}"#,
      expect: .error(
        400,
        "Missing required parameter: 'items[0].role'.", param: "items[0].role",
        code: "missing_required_parameter")),
    APICase(
      "create: items of another type", "POST", "/v1/conversations", body: #"{"items":{}}"#,
      expect: .error(
        400,
        "Invalid type for 'items': expected an array of objects, but got an object instead.",
        param: "items", code: "invalid_type")),
    APICase(
      "create: unknown member", "POST", "/v1/conversations", body: #"{"metadata":5,"x":1}"#,
      expect: .error(400, "Unknown parameter: 'x'.", param: "x", code: "unknown_parameter")),
  ]

  /// Contract, section 3: `POST /v1/conversations/{id}`.
  static let updates: [APICase] = [
    APICase(
      "update: replaces the whole set", "POST", "/v1/conversations/{id}", headers: [json1],
      body: #"{"metadata":{"a":"1"}}"#, expect: conversation(#"{"a":"1"}"#)),
    APICase(
      "update: {} clears", "POST", "/v1/conversations/{id}", body: #"{"metadata":{}}"#,
      expect: conversation("{}")),
    APICase(
      "update: null clears", "POST", "/v1/conversations/{id}", body: #"{"metadata":null}"#,
      expect: conversation("{}")),
    APICase(
      "update: missing metadata", "POST", "/v1/conversations/{id}", body: #"{"x":1}"#,
      expect: .error(
        400, "Missing required parameter: 'metadata'.", param: "metadata",
        code: "missing_required_parameter")),
    APICase(
      "update: no body", "POST", "/v1/conversations/{id}",
      expect: .error(
        400, "Missing required parameter: 'metadata'.", param: "metadata",
        code: "missing_required_parameter")),
    APICase(
      "update: null", "POST", "/v1/conversations/{id}", body: "null",
      expect: .error(
        400, "Missing required parameter: 'metadata'.", param: "metadata",
        code: "missing_required_parameter")),
    APICase(
      "update: unknown member", "POST", "/v1/conversations/{id}",
      body: #"{"metadata":{},"items":[]}"#,
      expect: .error(400, "Unknown parameter: 'items'.", param: "items", code: "unknown_parameter")),
    APICase(
      "update: unknown conversation", "POST", "/v1/conversations/{unknown}",
      body: #"{"metadata":{}}"#,
      expect: .error(404, "Conversation with id '{unknown}' not found.")),
    APICase(
      "update: a wrong body is told before existence", "POST", "/v1/conversations/nope",
      body: #"{"metadata":5}"#,
      expect: .error(
        400,
        "Invalid type for 'metadata': expected a metadata object, but got an integer instead.",
        param: "metadata", code: "invalid_type")),
  ]

  /// Contract, section 3: the rest.
  static let others: [APICase] = [
    APICase(
      "retrieve", "GET", "/v1/conversations/{id}",
      expect: conversation(#"{"topic":"test"}"#, headers: ["etag": "{etag}"])),
    APICase(
      "retrieve: the id is decoded", "GET", "/v1/conversations/%63onv%5F{unknown}",
      expect: .error(404, "Conversation with id 'conv_{unknown}' not found.")),
    APICase(
      "retrieve: as an absolute form", "GET", "http://localhost:80/v1/conversations/{id}",
      expect: conversation(#"{"topic":"test"}"#)),
    APICase(
      "retrieve: HEAD", "HEAD", "/v1/conversations/{id}",
      expect: .ok("", headers: ["etag": "{etag}"])),
    APICase(
      "retrieve: a body is ignored", "GET", "/v1/conversations/{id}",
      headers: [("Content-Type", "text/plain")], body: "x",
      expect: conversation(#"{"topic":"test"}"#)),
    APICase(
      "retrieve: what cannot be an id is unknown", "GET", "/v1/conversations/a%2Fb%00%27",
      expect: .error(404, "Conversation with id 'a/b\0'' not found.")),
    APICase(
      "retrieve: HEAD of an unknown one", "HEAD", "/v1/conversations/{unknown}",
      expect: .error(404, "")),
    APICase(
      "delete: as the Python SDK sends it", "DELETE", "/v1/conversations/{id}", headers: [json1],
      expect: .ok(#"{"id":"{id}","object":"conversation.deleted","deleted":true}"#)),
    APICase(
      "delete: unknown", "DELETE", "/v1/conversations/{unknown}",
      expect: .error(404, "Conversation with id '{unknown}' not found.")),
    APICase("healthz", "GET", "/healthz", expect: .ok(#"{"status":"ok"}"#)),
    APICase("readyz", "GET", "/readyz", expect: .ok(#"{"status":"ok"}"#)),
    APICase("healthz: HEAD", "HEAD", "/healthz", expect: .ok("")),
  ]
}
