import Conversations
import HTTP
import HTTPTypes
import Logging
import Repository
import SQLite
import SQLiteStore
import TestSupport
import Testing

@testable import API

/// Who is let in once there are API keys (contract, section 4); what a key may do inside is in
/// `ProjectTests` and `ReadOnlyKeyTests`.
@Suite struct AuthenticationTests {
  private static let list = "/v1/conversations"

  /// A 401 with all that belongs to one.
  private func expectUnauthorized(
    _ answer: Service.Answer, _ message: String, code: String?,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    #expect(answer.status == 401, sourceLocation: sourceLocation)
    #expect(answer.headers["www-authenticate"] == "Bearer", sourceLocation: sourceLocation)
    #expect(answer.headers["content-type"] == "application/json", sourceLocation: sourceLocation)
    #expect(
      answer.headers["x-request-id"]?.hasPrefix("req_") == true, sourceLocation: sourceLocation)
    let error = try APIErrorBody(answer.body)
    #expect(error.message.hasSameBytes(as: message), sourceLocation: sourceLocation)
    #expect(error.type == "invalid_request_error", sourceLocation: sourceLocation)
    #expect(error.param == nil, sourceLocation: sourceLocation)
    #expect(error.code == code, sourceLocation: sourceLocation)
  }

  private func expectMissing(
    _ answer: Service.Answer, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    try expectUnauthorized(
      answer, "Missing bearer authentication in header.", code: nil,
      sourceLocation: sourceLocation)
  }

  private func expectIncorrect(
    _ answer: Service.Answer, _ masked: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    try expectUnauthorized(
      answer, "Incorrect API key provided: \(masked).", code: "invalid_api_key",
      sourceLocation: sourceLocation)
  }

  private func masked(_ key: String) -> String { "\(key.prefix(6))***\(key.suffix(4))" }

  // MARK: The header field

  @Test(
    arguments: [nil, "", "Bearer", "Bearer ", "{key}", "Basic {key}", "Bearer:{key}", "Key {key}"],
    Service.Transport.allCases)
  func `without a bearer's key a request is told so`(
    field: String?, transport: Service.Transport
  ) async throws {
    let service = try Service(transport)
    let key = try service.makeKey()
    let headers = field.map { [("Authorization", $0.replacing("{key}", with: key))] } ?? []
    try expectMissing(try await service.send("GET", Self.list, headers: headers))
    await service.stop()
  }

  /// RFC 9110, section 11.1: the scheme's case is nothing.
  @Test(
    arguments: [
      "Bearer {key}", "bearer {key}", "BEARER {key}", "bEaReR    {key}", "Bearer {key}  ",
    ],
    Service.Transport.allCases)
  func `with its key a request is let in`(
    field: String, transport: Service.Transport
  ) async throws {
    let service = try Service(transport)
    let key = try service.makeKey()
    let headers = [("Authorization", field.replacing("{key}", with: key))]
    for method in ["GET", "POST"] {
      let answer = try await service.send(method, Self.list, headers: headers)
      #expect(answer.status == 200)
      #expect(answer.headers["www-authenticate"] == nil)
    }
    await service.stop()
  }

  /// One of the two could be an intermediary's, and which one counts would be a guess.
  @Test func `two keys in one request are none`() async throws {
    let service = try Service(.inProcess)
    let key = try service.makeKey()
    let answer = try await service.send(
      "GET", Self.list, key: key, headers: [("Authorization", "Bearer \(key)")])
    try expectIncorrect(answer, masked("\(key), Bearer \(key)"))
  }

  // MARK: The key

  @Test(arguments: Service.Transport.allCases)
  func `wrong, revoked and expired keys are told in the same words`(
    transport: Service.Transport
  ) async throws {
    let clock = TestClock()
    let service = try Service(transport, now: { clock.seconds })
    let good = try service.makeKey("good")
    let revoked = try service.makeKey("revoked")
    let expired = try service.makeKey("expired", now: clock.seconds, lifetimeSeconds: 10)
    for key in [revoked, expired] {
      #expect(try await service.send("GET", Self.list, key: key).status == 200)
    }
    try service.revokeKey("revoked")
    clock.seconds += 9
    #expect(try await service.send("GET", Self.list, key: expired).status == 200)
    clock.seconds += 1

    var names: Set<Set<String>> = []
    for key in [
      revoked, expired, good.uppercased(), good + "A", String(good.dropLast()),
      "sk-" + String(repeating: "A", count: 43), APIKey.hash(of: good), "\(good) \(good)",
    ] {
      let answer = try await service.send("GET", Self.list, key: key)
      try expectIncorrect(answer, masked(key))
      names.insert(Set(answer.headers.keys))
    }
    #expect(names.count == 1)
    #expect(try await service.send("GET", Self.list, key: good).status == 200)
    await service.stop()
  }

  @Test(arguments: [
    ("x", "***"), ("sk-123456789012", "***"), ("sk-1234567890123", "sk-123***0123"),
    ("sk-abcdefghijklmnopqrstuvwxyz", "sk-abc***wxyz"), ("\"\\{}<>&'/%00;--!~#", "\"\\{}<>***!~#"),
    (String(repeating: "é", count: 15), "***"),
    (String(repeating: "é", count: 16), "éééééé***éééé"),
  ])
  func `a key that is wrong is shown by its ends, a short one not at all`(
    key: String, shown: String
  ) async throws {
    let service = try Service(.inProcess)
    _ = try service.makeKey()
    let expected = key.hasSuffix("--!~#") ? masked(key) : shown
    try expectIncorrect(try await service.send("GET", Self.list, key: key), expected)
  }

  @Test func `no key is in the log, whether it is good or not`() async throws {
    let log = LogRecorder()
    let service = try Service(.inProcess, log: log)
    let key = try service.makeKey()
    let wrong = String(key.reversed())
    for one in [key, wrong] { _ = try await service.send("GET", Self.list, key: one) }
    _ = try await service.send("GET", Self.list)
    let lines = log.events("request").map(\.metadata)
    #expect(lines.map { $0["status"]?.description } == ["200", "401", "401"])
    #expect(lines.map { $0["code"] } == [nil, "invalid_api_key", nil])
    for one in [key, wrong] {
      #expect(!log.everything.contains(one.prefix(10)))
      #expect(!log.everything.contains(one.suffix(10)))
      #expect(!log.everything.contains(APIKey.hash(of: one)))
    }
  }

  // MARK: From when on

  @Test(arguments: Service.Transport.allCases)
  func `from the first key on the next request needs one, also when it is revoked`(
    transport: Service.Transport
  ) async throws {
    let service = try Service(transport)
    let before = try await service.create(#"{"metadata":{"a":"1"}}"#)
    let wrong = "sk-" + String(repeating: "A", count: 43)
    // What it is not asked for is not looked at.
    #expect(try await service.send("GET", before.path, key: wrong).status == 200)

    let key = try service.makeKey()
    try expectMissing(try await service.send("GET", before.path))
    try expectIncorrect(try await service.send("GET", before.path, key: wrong), masked(wrong))
    #expect(try await service.send("GET", before.path, key: key).body == before.body)

    try service.revokeKey("key")
    try expectIncorrect(try await service.send("GET", before.path, key: key), masked(key))
    try expectMissing(try await service.send("GET", before.path))
    await service.stop()
  }

  @Test func `where keys cannot be looked up nobody is let in`() async throws {
    for hasKey in [false, true] {
      let service = try Service(.inProcess)
      let key = hasKey ? try service.makeKey() : ""
      #expect(try await service.send("GET", Self.list, key: key).status == 200)
      try service.outsider().execute("ALTER TABLE api_keys RENAME TO moved")
      let answer = try await service.send("GET", Self.list, key: key)
      #expect(answer.status == 500)
      #expect(!answer.body.contains("moved") && !answer.body.contains("api_keys"))
      #expect(try await service.send("GET", "/healthz").status == 200)
    }
  }

  /// Loopback is only what stands in for keys while there are none.
  @Test(arguments: [
    [("Host", "example.com")], [("Host", "localhost"), ("Origin", "http://example.com")],
  ])
  func `with a key a request may come in at any name`(
    headers: [(name: String, value: String)]
  ) async throws {
    let service = try Service(.inProcess)
    #expect(try await service.send("GET", Self.list, headers: headers).status == 403)
    let key = try service.makeKey()
    try expectMissing(try await service.send("GET", Self.list, headers: headers))
    #expect(try await service.send("GET", Self.list, key: key, headers: headers).status == 200)
  }

  // MARK: The order of checks

  private static let faults: [(method: String, target: String, body: String, status: Int)] = [
    ("GET", "/v1/x", "", 404), ("GET", "/", "", 404), ("OPTIONS", "*", "", 404),
    ("PUT", list, "", 405), ("OPTIONS", list, "", 405), ("FOO", list + "/x", "", 405),
    ("POST", list, String(repeating: " ", count: Service.bodyBytesMax + 1), 413),
    ("GET", list + "/a%zz", "", 400), ("GET", list + "?limit=x", "", 400),
    ("POST", list, "{", 400), ("POST", list + "?a=b", "", 400), ("GET", list + "/x", "", 404),
    ("DELETE", list + "/x", "", 404),
  ]

  @Test(arguments: faults)
  func `a request without a good key is told nothing but that`(
    fault: (method: String, target: String, body: String, status: Int)
  ) async throws {
    let service = try Service(.inProcess)
    let key = try service.makeKey()
    let wrong = String(key.reversed())
    let (method, target) = (fault.method, fault.target)
    try expectMissing(try await service.send(method, target, json: fault.body))
    try expectIncorrect(
      try await service.send(method, target, key: wrong, json: fault.body), masked(wrong))
    #expect(
      try await service.send(method, target, key: key, json: fault.body).status == fault.status)
  }

  @Test func `so it is with a body whose end is ambiguous`() async throws {
    let service = try Service(.inProcess)
    let key = try service.makeKey()
    for (authorization, status) in [("", 401), ("Bearer x", 401), ("Bearer \(key)", 400)] {
      let response = await service.api.respond(
        to: Request(
          method: .post, target: RequestTarget(Self.list),
          headers: [.authorization: authorization], body: .ambiguous)
      ).value
      #expect(response.status.code == status)
    }
  }

  // MARK: Open routes

  /// A new route is here, or needs a key.
  private static let openPaths = ["/healthz", "/readyz", "/openapi.json"]

  @Test(
    arguments: [
      [], [("Authorization", "Bearer sk-wrong-wrong-wrong")], [("Authorization", "Basic x")],
      [("OpenAI-Project", "wrong")], [("Host", "example.com"), ("Origin", "http://example.com")],
    ], [true, false])
  func `an open route is answered to everybody`(
    headers: [(name: String, value: String)], hasKeys: Bool
  ) async throws {
    let service = try Service(.inProcess)
    if hasKeys { _ = try service.makeKey() }
    for path in Self.openPaths {
      for (method, status) in [("GET", 200), ("HEAD", 200), ("POST", 405)] {
        let answer = try await service.send(method, path, headers: headers)
        #expect(answer.status == status, "\(method) \(path)")
        #expect(answer.headers["www-authenticate"] == nil)
      }
    }
  }

  @Test func `every other route needs a key for every method`() async throws {
    let service = try Service(.inProcess)
    let path = try await service.create().path
    _ = try service.makeKey()
    for route in Route.all
    where !Self.openPaths.contains(route.path) && route.audience != .browsers {
      let target = route.path.contains("{") ? path : route.path
      for method in ["GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS", "TRACE", "FOO"] {
        let answer = try await service.send(method, target)
        #expect(answer.status == 401, "\(method) \(route.path)")
        #expect(answer.headers["www-authenticate"] == "Bearer")
      }
    }
    #expect(try service.outsider().integer("SELECT count(*) FROM conversations") == 1)
  }

  @Test func `the metrics are for admin keys of the default project, or open by a setting`()
    async throws
  {
    for isOpen in [false, true] {
      let service = try Service(.inProcess, apiSettings: API.Settings(hasOpenMetrics: isOpen))
      let headers = [("Host", "example.com")]
      let strange = isOpen ? 200 : 403
      #expect(try await service.send("GET", "/metrics", headers: headers).status == strange)
      #expect(try await service.send("GET", "/metrics").status == 200)
      let others = [
        try service.makeKey("reader", isReadOnly: true), try service.makeKey("writer"),
        try service.makeKey("admin of others", project: "others", isAdmin: true),
      ]
      let admin = try service.makeKey("admin", isAdmin: true)
      for method in ["GET", "HEAD"] {
        let answer = try await service.send(method, "/metrics")
        #expect(answer.status == (isOpen ? 200 : 401))
        for key in others {
          let answer = try await service.send(method, "/metrics", key: key)
          #expect(answer.status == (isOpen ? 200 : 403))
          if method == "GET", !isOpen { #expect(answer.errorCode == "insufficient_permissions") }
        }
        #expect(try await service.send(method, "/metrics", key: admin).status == 200)
      }
      #expect(try await service.send("POST", "/metrics", key: others[1]).status == 405)
      try expectMissing(try await service.send("GET", Self.list))
    }
  }

  // MARK: OpenAI-Project

  @Test(arguments: ["default", "team-1", "It's-\"1\""])
  func `a project that is named must be the key's`(project: String) async throws {
    let service = try Service(.inProcess)
    let key = try service.makeKey(project: project)
    _ = try service.makeKey("other", project: "other")
    func send(_ name: String, key: String) async throws -> Service.Answer {
      try await service.send("GET", Self.list, key: key, headers: [("OpenAI-Project", name)])
    }
    #expect(try await send(project, key: key).status == 200)
    for name in ["other", project.uppercased(), project + "x", "", "proj_1", "\(project), other"] {
      try expectUnauthorized(
        try await send(name, key: key),
        "The 'OpenAI-Project' header does not match the project of the API key, which is "
          + "'\(project)'.", code: "invalid_project")
    }
    // Whose key is wrong is not told what projects there are.
    try expectIncorrect(try await send(project, key: "x"), "***")
  }

  @Test func `while there are no keys the named project is ignored`() async throws {
    let service = try Service(.inProcess)
    for name in ["default", "other", ""] {
      let headers = [("OpenAI-Project", name)]
      #expect(try await service.send("GET", Self.list, headers: headers).status == 200)
    }
  }
}
