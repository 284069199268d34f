import Logging
import Repository
import SQLite
import SQLiteStore
import TestSupport
import Testing

/// Keys, values and counts of many conversations (contract, section 9); what is answered about one, and
/// the errors, are in `APICase.facets`.
@Suite struct FacetTests {
  private func fill(_ service: Service, key: String? = nil, _ sets: [String]) async throws {
    for set in sets {
      let json = #"{"metadata":\#(set)}"#
      let answer =
        if let key {
          try await service.send("POST", "/v1/conversations", key: key, json: json)
        } else {
          try await service.send("POST", "/v1/conversations", json: json)
        }
      #expect(answer.status == 200)
    }
  }

  /// The texts of a page, with counts as `3` or, if not exact, `3+`.
  private func facets(_ answer: Service.Answer) -> [String] {
    #expect(answer.status == 200)
    let facet =
      /"(?:key|value)":"([^"]*)","count":(null|\d+),"is_exact":(null|true|false)/
    return answer.body.matches(of: facet).map { match in
      let (_, text, count, isExact) = match.output
      return count == "null" ? "\(text)" : "\(text) \(count)\(isExact == "true" ? "" : "+")"
    }
  }

  private static let sets = [
    #"{"topic":"a","user":"u1"}"#, #"{"topic":"b","user":"u1"}"#, #"{"topic":"a"}"#, "{}",
    #"{"topic":"c","state":"a"}"#,
  ]

  @Test(arguments: [
    ("metadata_keys", ["state", "topic", "user"]),
    ("metadata_keys?up_to=3", ["state 1", "topic 3+", "user 2"]),
    ("metadata_keys?up_to=4", ["state 1", "topic 4", "user 2"]),
    ("metadata_keys?up_to=1&limit=2", ["state 1", "topic 1+"]),
    ("metadata_values?key=topic", ["a", "b", "c"]),
    ("metadata_values?key=topic&up_to=1", ["a 1+", "b 1", "c 1"]),
    ("metadata_values?key=user&up_to=2", ["u1 2"]),
    ("metadata_values?key=topic&limit=1&after=a&up_to=9", ["b 1"]),
  ])
  func `each key and value is listed once, with how many have it`(
    target: String, expected: [String]
  ) async throws {
    let service = try Service(.inProcess)
    try await fill(service, Self.sets)
    #expect(try await facets(service.send("GET", "/v1/conversations/\(target)")) == expected)
  }

  @Test(arguments: [
    ("", "5,\"is_exact\":true"), ("?up_to=5", "5,\"is_exact\":true"),
    ("?up_to=4", "4,\"is_exact\":false"), ("?metadata[topic]=a", "2,\"is_exact\":true"),
    ("?metadata_exists[]=topic&up_to=1", "1,\"is_exact\":false"),
    ("?metadata_absent[]=topic", "1,\"is_exact\":true"),
  ])
  func `a count stops at its limit and says so`(query: String, expected: String) async throws {
    let service = try Service(.inProcess)
    try await fill(service, Self.sets)
    let answer = try await service.send("GET", "/v1/conversations/count\(query)")
    #expect(answer.body == #"{"object":"conversation.count","count":\#(expected)}"#)
  }

  @Test func `a walk through the pages sees each key once`() async throws {
    let service = try Service(.inProcess)
    let names = (0..<30).map { "key \($0)" }.sorted()
    try await fill(service, names.shuffled().map { #"{"\#($0)":"1","common":"1"}"# })
    var seen: [String] = []
    var query = "limit=7"
    while true {
      let answer = try await service.send("GET", "/v1/conversations/metadata_keys?\(query)")
      let page = facets(answer)
      seen += page
      guard answer.body.hasSuffix(#""has_more":true}"#) else { break }
      #expect(page.count == 7)
      query = "limit=7&after=\(page.last?.replacing(" ", with: "+") ?? "")"
    }
    #expect(seen == ["common"] + names)
  }

  @Test func `another project's keys, values and conversations are not seen`() async throws {
    let service = try Service(.inProcess)
    let (ours, theirs) = (
      try service.makeKey("ours", project: "ours"), try service.makeKey("theirs", project: "theirs")
    )
    try await fill(service, key: ours, [#"{"topic":"a"}"#])
    try await fill(service, key: theirs, [#"{"topic":"b","secret":"c"}"#, #"{"aaa":"a"}"#])
    func send(_ target: String, _ key: String) async throws -> Service.Answer {
      try await service.send("GET", "/v1/conversations/\(target)", key: key)
    }
    #expect(try await facets(send("metadata_keys?up_to=9", ours)) == ["topic 1"])
    #expect(try await facets(send("metadata_values?key=topic&up_to=9", ours)) == ["a 1"])
    #expect(try await facets(send("metadata_values?key=secret", ours)) == [])
    #expect(try await send("count", ours).body.contains(#""count":1,"#))
    #expect(
      try await facets(send("metadata_keys?up_to=9", theirs)) == ["aaa 1", "secret 1", "topic 1"])
    #expect(try await send("count", theirs).body.contains(#""count":2,"#))
  }

  @Test func `what cannot be shown is left out and logged`() async throws {
    let log = LogRecorder()
    let service = try Service(.inProcess, log: log)
    try await fill(service, [#"{"a":"1","b":"1","c":"1"}"#, #"{"b":"1"}"#])
    try service.outsider().execute(
      """
      UPDATE metadata SET key = CAST(x'62ff' AS TEXT) WHERE conversation = 1 AND key = 'b';
      UPDATE metadata SET value = CAST(x'ff' AS TEXT) WHERE conversation = 1 AND key = 'c';
      """)
    let words = "left out of a list: what is stored of some metadata is not valid"
    let keys = try await service.send("GET", "/v1/conversations/metadata_keys?up_to=5")
    #expect(facets(keys) == ["a 1", "b 1", "c 1"])
    #expect(log.events(words).map { $0.metadata["count"] } == ["1"])
    let values = try await service.send("GET", "/v1/conversations/metadata_values?key=c")
    #expect(facets(values) == [])
    #expect(log.events(words).count == 2)
    #expect(
      log.events(words).last?.metadata["request_id"]
        == .string(values.headers["x-request-id"] ?? ""))
  }

  @Test func `at the deadline a list is a 503, and a count what it is so far`() async throws {
    let service = try Service(.inProcess, settings: .init(queryTimeoutMilliseconds: 0))
    try await fill(service, Self.sets)
    for target in ["metadata_keys", "metadata_keys?up_to=5", "metadata_values?key=topic"] {
      let answer = try await service.send("GET", "/v1/conversations/\(target)")
      #expect(answer.status == 503)
      #expect(answer.errorCode == "query_timeout")
      #expect(answer.headers["x-should-retry"] == "false")
    }
    let count = try await service.send("GET", "/v1/conversations/count")
    #expect(count.body == #"{"object":"conversation.count","count":0,"is_exact":false}"#)
  }

  // MARK: GET /v1/me

  @Test(arguments: Service.Transport.allCases)
  func `a key is described to whoever has it`(transport: Service.Transport) async throws {
    let service = try Service(transport)
    let now: Int64 = 1_790_000_000
    let reader = try service.makeKey(
      "read \"me\"", project: "sales", isReadOnly: true, now: now,
      lifetimeSeconds: 1_000_000_000)
    let writer = try service.makeKey("crm", now: now)
    #expect(
      try await service.send("GET", "/v1/me", key: reader).body
        == #"{"object":"api_key","name":"read \"me\"","project":"sales","rights":"read_only","#
        + #""admin":false,"redacted_value":"\#(reader.prefix(7))...","created_at":\#(now),"#
        + #""expires_at":\#(now + 1_000_000_000)}"#)
    #expect(
      try await service.send("GET", "/v1/me", key: writer).body
        == #"{"object":"api_key","name":"crm","project":"default","rights":"read_write","#
        + #""admin":false,"redacted_value":"\#(writer.prefix(7))...","created_at":\#(now),"#
        + #""expires_at":null}"#)
    #expect(try await service.send("GET", "/v1/me").status == 401)
    await service.stop()
  }
}
