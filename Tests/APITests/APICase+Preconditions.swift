extension APICase {
  private static let path = "/v1/conversations/{id}"

  private static let changed =
    "Precondition failed: the conversation's ETag is none of those in 'If-Match'. It was changed; "
    + "read it again."

  private static let same =
    "Precondition failed: the conversation's ETag is one of those in 'If-None-Match'."

  /// Contract, section 7, and RFC 9110, section 13.1.
  static let preconditions: [APICase] =
    fulfilledMatches + failedMatches + reads + changesIfNoneMatch + orderOfChecks

  /// Every request that changes a conversation, with what it is answered when it may.
  private static let changes: [(method: String, body: String, answer: Expectation)] = [
    ("POST", #"{"metadata":{"a":"1"}}"#, conversation(#"{"a":"1"}"#)),
    ("PATCH", #"{"metadata":{"a":"1"}}"#, conversation(#"{"a":"1","topic":"test"}"#)),
    ("DELETE", "", .ok(#"{"id":"{id}","object":"conversation.deleted","deleted":true}"#)),
  ]

  /// The same field in every request that changes something.
  private static func changes(
    _ name: String, _ values: [String], failure: String? = nil
  ) -> [APICase] {
    values.flatMap { value in
      changes.map { method, body, answer in
        APICase(
          "\(method), \(name): \(value)", method, path, headers: [(name, value)], body: body,
          expect: failure.map { .error(412, $0, code: "precondition_failed") } ?? answer)
      }
    }
  }

  private static func read(
    _ fields: KeyValuePairs<String, String>, method: String = "GET", expect: Expectation
  ) -> APICase {
    let shown = fields.map { "\($0.key): \($0.value)" }.joined(separator: "; ")
    return APICase(
      "\(method), \(shown)", method, path, headers: fields.map { ($0.key, $0.value) },
      expect: expect)
  }

  private static let fulfilledMatches: [APICase] =
    changes(
      "If-Match",
      [
        "{etag}", "*", "{etag},\"x\"", "\"x\" ,\t{etag}", ",, {etag} ,", "W/\"x\", {etag}",
        "\"a,b\",{etag}", "\"\",{etag}", "\"\u{E9}\\\", {etag}", "\"\u{301}\",{etag}",
      ])
    + [
      APICase(
        "If-Match on two lines", "POST", path,
        headers: [("If-Match", "\"x\""), ("if-match", "{etag}")], body: #"{"metadata":{}}"#,
        expect: conversation("{}")),
      APICase(
        "If-Match on the first of two lines", "PATCH", path,
        headers: [("If-Match", "{etag}"), ("If-Match", "\"x\"")], body: "{}",
        expect: conversation(#"{"topic":"test"}"#)),
    ]

  /// What names nothing, or cannot be read, allows no change: a client that meant to be careful
  /// must not overwrite anything because of a slip.
  private static let failedMatches: [APICase] =
    changes(
      "If-Match",
      [
        "\"x\"", "W/{etag}", "w/{etag}", "", ",", "{hash}", "'{hash}'", "\"{hash}", "{hash}\"",
        "{etag} \"x\"", "{etag}, x", "x, {etag}", "\"{hash} \"", "\"0{hash}\"", "\"*\"", "*, \"x\"",
        "**",
      ], failure: changed)
    + [
      APICase(
        "If-Match on two lines, neither of them", "DELETE", path,
        headers: [("If-Match", "\"x\""), ("If-Match", "W/{etag}")],
        expect: .error(412, changed, code: "precondition_failed")),
      read(["If-Match": "\"x\""], expect: .error(412, changed, code: "precondition_failed")),
      read(["If-Match": "\"x\""], method: "HEAD", expect: .error(412, "")),
    ]

  private static let reads: [APICase] =
    [
      "{etag}", "W/{etag}", "*", "\"x\", {etag}", "\"x\",W/{etag}", ",{etag},", "\"a,b\", {etag}",
    ].flatMap { value in
      ["GET", "HEAD"].map {
        read(["If-None-Match": value], method: $0, expect: .notModified)
      }
    }
    + ["\"x\"", "W/\"x\"", "", ",", "{hash}", "w/{etag}", "{etag} x", "{etag}, x", "\"*\""].map {
      read(["If-None-Match": $0], expect: conversation(#"{"topic":"test"}"#))
    }
    + [
      read(["If-None-Match": "\"x\"", "if-none-match": "{etag}"], expect: .notModified),
      read(["If-Match": "{etag}", "If-None-Match": "{etag}"], expect: .notModified),
      read(
        ["If-Match": "{etag}", "If-None-Match": "\"x\""],
        expect: conversation(#"{"topic":"test"}"#, headers: ["etag": "{etag}"])),
      read(
        ["If-Match": "\"x\"", "If-None-Match": "{etag}"],
        expect: .error(412, changed, code: "precondition_failed")),
    ]

  private static let changesIfNoneMatch: [APICase] =
    changes("If-None-Match", ["*", "{etag}", "W/{etag}", "\"x\", {etag}"], failure: same)
    + changes("If-None-Match", ["\"x\"", "", "{hash}"])

  private static let orderOfChecks: [APICase] =
    ["GET", "POST", "PATCH", "DELETE"].flatMap { method in
      [("If-Match", "\"x\""), ("If-Match", "*"), ("If-None-Match", "*")].map { name, value in
        APICase(
          "\(method) an unknown one, \(name): \(value)", method, "/v1/conversations/{unknown}",
          headers: [(name, value)],
          body: method == "POST" || method == "PATCH" ? #"{"metadata":{}}"# : "",
          expect: .error(404, "Conversation with id '{unknown}' not found."))
      }
    }
    + ["POST", "PATCH"].map { method in
      APICase(
        "\(method): a wrong body is told before a precondition", method, path,
        headers: [("If-Match", "\"x\"")], body: #"{"metadata":[]}"#,
        expect: .error(
          400, "Invalid type for 'metadata': expected a metadata object, but got an array instead.",
          param: "metadata", code: "invalid_type"))
    }
    + [
      APICase(
        "PATCH: a precondition is told before the limits of the result", "PATCH", path,
        headers: [("If-Match", "\"x\"")], body: #"{"metadata":\#(object(16))}"#,
        expect: .error(412, changed, code: "precondition_failed"))
    ]
}
