import Conversations
import Foundation
import Logging
import Repository
import SQLite
import SQLiteStore
import TestSupport
import Testing

@testable import API

/// Managing the keys of a project over HTTP, with an admin key (contract, section 9).
@Suite struct AdminKeyTests {
  private static let path = "/v1/api_keys"

  private func expectForbidden(
    _ answer: Service.Answer, _ words: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    #expect(answer.status == 403, sourceLocation: sourceLocation)
    let error = try APIErrorBody(answer.body)
    #expect(error.code == "insufficient_permissions", sourceLocation: sourceLocation)
    #expect(error.param == nil, sourceLocation: sourceLocation)
    #expect(error.message.contains(words), sourceLocation: sourceLocation)
  }

  private func members(_ answer: Service.Answer) throws -> [String: Any] {
    #expect(answer.status == 200, "\(answer.body)")
    return try #require(
      try JSONSerialization.jsonObject(with: Data(answer.body.utf8)) as? [String: Any])
  }

  private func names(_ service: Service, _ key: String) async throws -> [String] {
    let list = try members(try await service.send("GET", Self.path, key: key))
    return try #require(list["data"] as? [[String: Any]]).compactMap { $0["name"] as? String }
  }

  // MARK: Who may

  private static let requests = [
    ("GET", path, ""), ("HEAD", path, ""), ("POST", path, #"{"name":"n","rights":"read_only"}"#),
    ("POST", path, "{"), ("GET", "\(path)?x=1", ""), ("DELETE", "\(path)/n", ""),
    ("DELETE", "\(path)/reader", ""),
  ]

  @Test(arguments: requests, Service.Transport.allCases)
  func `only an admin key may, and nobody while there is no key`(
    request: (method: String, target: String, json: String), transport: Service.Transport
  ) async throws {
    let service = try Service(transport)
    func send(_ key: String?) async throws -> Service.Answer {
      let hasContent = request.method != "HEAD"
      let headers = key.map { [("Authorization", "Bearer \($0)")] } ?? []
      return try await service.send(
        request.method, request.target, headers: headers, body: Array(request.json.utf8),
        hasContent: hasContent)
    }
    func expect(_ answer: Service.Answer, _ words: String) throws {
      if request.method == "HEAD" {
        #expect(answer.status == 403)
      } else {
        try expectForbidden(answer, words)
      }
    }
    try expect(try await send(nil), "only an admin key may manage API keys")
    let reader = try service.makeKey("reader", isReadOnly: true)
    let writer = try service.makeKey("writer")
    let isRead = ["GET", "HEAD"].contains(request.method)
    try expect(try await send(writer), "only an admin key may manage API keys")
    try expect(
      try await send(reader),
      isRead ? "only an admin key may manage API keys" : "the API key may only read")
    #expect(try await send(nil).status == 401)
    #expect(try service.outsider().integer("SELECT count(*) FROM api_keys") == 2)
    await service.stop()
  }

  @Test func `an admin key reads and writes too`() async throws {
    let service = try Service(.inProcess)
    let admin = try service.makeKey("admin", isAdmin: true)
    let me = try members(try await service.send("GET", "/v1/me", key: admin))
    #expect(me["rights"] as? String == "read_write")
    #expect(me["admin"] as? Bool == true)
    let created = try await service.send("POST", "/v1/conversations", key: admin, json: "{}")
    #expect(created.status == 200)
    #expect(try await service.send("DELETE", created.path, key: admin).status == 200)
  }

  @Test(arguments: [("PUT", path, "GET, HEAD, POST"), ("GET", "\(path)/a", "DELETE")])
  func `other methods are refused`(method: String, target: String, allow: String) async throws {
    let service = try Service(.inProcess)
    let admin = try service.makeKey("admin", isAdmin: true)
    let answer = try await service.send(method, target, key: admin)
    #expect(answer.status == 405)
    #expect(answer.headers["allow"] == allow)
  }

  // MARK: What it does

  @Test(arguments: Service.Transport.allCases)
  func `a key is made, listed, used and revoked`(transport: Service.Transport) async throws {
    let service = try Service(transport)
    let admin = try service.makeKey("admin", project: "sales", isAdmin: true)
    let before = UnixTime.seconds()
    let made = try await service.send(
      "POST", Self.path, key: admin, json: #"{"name":"crm \"1\"","rights":"read_write"}"#)
    let value = try #require(made.body.firstMatch(of: /sk-[A-Za-z0-9_-]{43}/)).output
    let createdAt = try #require(try members(made)["created_at"] as? Int64)
    #expect((before...UnixTime.seconds()).contains(createdAt))
    let described =
      #"{"object":"api_key","name":"crm \"1\"","project":"sales","rights":"read_write","#
      + #""admin":false,"redacted_value":"\#(value.prefix(7))...","created_at":\#(createdAt),"#
      + #""expires_at":null"#
    #expect(made.body == described + #","last_used_at":null,"value":"\#(value)"}"#)
    #expect(made.headers["cache-control"] == "no-store")

    let key = String(value)
    #expect(try await service.send("GET", "/v1/me", key: key).body == described + "}")
    try await service.repository.writeKeyUses()
    let list = try await service.send("GET", Self.path, key: admin)
    #expect(list.body.hasPrefix(#"{"object":"list","data":[{"object":"api_key","name":"admin","#))
    #expect(list.body.contains(described + #","last_used_at":"#))
    #expect(list.body.hasSuffix(#"}],"has_more":false}"#))
    #expect(!list.body.contains(key) && !list.body.contains("\"value\""))
    #expect(try await service.send("HEAD", Self.path, key: admin, hasContent: false).status == 200)

    let revoked = try await service.send("DELETE", Self.path + "/crm%20%221%22", key: admin)
    #expect(
      revoked.body == #"{"object":"api_key.deleted","name":"crm \"1\"","deleted":true}"#)
    #expect(try await service.send("GET", "/v1/me", key: key).status == 401)
    #expect(try await names(service, admin) == ["admin"])
    // The name may be used again.
    let again = try await service.send(
      "POST", Self.path, key: admin, json: #"{"name":"crm \"1\"","rights":"read_only"}"#)
    #expect(again.status == 200)
    await service.stop()
  }

  @Test func `a key has the rights and the end that it was given`() async throws {
    let service = try Service(.inProcess)
    let admin = try service.makeKey("admin", isAdmin: true)
    let end = UnixTime.seconds() + 1000
    for (json, rights, expiresAt) in [
      (#"{"name":"a","rights":"read_only","expires_at":\#(end)}"#, "read_only", end),
      (#"{"expires_at":null,"rights":"read_write","name":"b"}"#, "read_write", nil),
    ] {
      let made = try members(try await service.send("POST", Self.path, key: admin, json: json))
      let key = try #require(made["value"] as? String)
      let me = try members(try await service.send("GET", "/v1/me", key: key))
      for described in [made, me] {
        #expect(described["rights"] as? String == rights)
        #expect(described["admin"] as? Bool == false)
        #expect(described["expires_at"] as? Int64 == expiresAt)
      }
      let status = try await service.send("POST", "/v1/conversations", key: key).status
      #expect(status == (rights == "read_only" ? 403 : 200))
    }
    #expect(
      try service.outsider().integer("SELECT expires_at FROM api_keys WHERE name = 'a'") == end)
  }

  /// By code point, without those that are revoked, with those that have expired.
  @Test func `the list has the keys of the project that are not revoked`() async throws {
    let service = try Service(.inProcess)
    let admin = try service.makeKey("m", isAdmin: true)
    for name in ["z", "é", "e\u{301}", "B", "a"] { _ = try service.makeKey(name) }
    _ = try service.makeKey("old", now: 1000, lifetimeSeconds: 1)
    _ = try service.makeKey("gone")
    try service.revokeKey("gone")
    _ = try service.makeKey("theirs", project: "theirs", isAdmin: true)
    let listed = try await names(service, admin)
    #expect(
      listed.map { Array($0.utf8) }
        == ["B", "a", "e\u{301}", "m", "old", "z", "é"].map { Array($0.utf8) })
  }

  @Test func `what belongs to another project is unknown`() async throws {
    let service = try Service(.inProcess)
    let ours = try service.makeKey("admin", project: "ours", isAdmin: true)
    let theirs = try service.makeKey("admin", project: "theirs", isAdmin: true)
    let key = try service.makeKey("crm", project: "theirs")
    let refused = try await service.send("DELETE", "\(Self.path)/crm", key: ours)
    #expect(refused.status == 404)
    #expect(try APIErrorBody(refused.body).message == "API key with name 'crm' not found.")
    #expect(try await service.send("GET", "/v1/me", key: key).status == 200)
    // A name that they have is free here.
    let made = try await service.send(
      "POST", Self.path, key: ours, json: #"{"name":"crm","rights":"read_write"}"#)
    #expect(try members(made)["project"] as? String == "ours")
    #expect(try await names(service, ours) == ["admin", "crm"])
    #expect(try await service.send("DELETE", "\(Self.path)/crm", key: ours).status == 200)
    #expect(try await service.send("GET", "/v1/me", key: key).status == 200)
    #expect(try await names(service, theirs) == ["admin", "crm"])
  }

  @Test func `admin keys are neither made nor revoked`() async throws {
    let service = try Service(.inProcess)
    let admin = try service.makeKey("admin", isAdmin: true)
    _ = try service.makeKey("other", isAdmin: true)
    let words = "admin keys are made and revoked with 'conversationd keys' on the server"
    for name in ["admin", "other"] {
      try expectForbidden(
        try await service.send("DELETE", "\(Self.path)/\(name)", key: admin), words)
    }
    for json in [
      #"{"name":"new","rights":"read_write","admin":true}"#, #"{"admin":true}"#,
    ] {
      try expectForbidden(
        try await service.send("POST", Self.path, key: admin, json: json), words)
    }
    #expect(try await names(service, admin) == ["admin", "other"])
  }

  @Test(arguments: ["crm", "admin", "e\u{301}"])
  func `a name that a key has is taken until that is revoked`(name: String) async throws {
    let service = try Service(.inProcess)
    let admin = try service.makeKey("admin", isAdmin: true)
    if name != "admin" { _ = try service.makeKey(name) }
    let json = #"{"name":"\#(name)","rights":"read_only"}"#
    let answer = try await service.send("POST", Self.path, key: admin, json: json)
    #expect(answer.status == 400)
    let error = try APIErrorBody(answer.body)
    #expect(error.code == "name_taken")
    #expect(error.param == "name")
    #expect(
      error.message.hasSameBytes(
        as: "Invalid 'name': the project has an API key named '\(name)'. Revoke it first, or take "
          + "another name."))
    let normalised = try await service.send(
      "POST", Self.path, key: admin, json: #"{"name":"\u00e9","rights":"read_only"}"#)
    #expect(normalised.status == 200)
  }

  // MARK: Wrong requests

  private static let faults: [(json: String, param: String?, code: String)] = [
    ("{", nil, "invalid_json"), ("[]", nil, "invalid_type"),
    ("", "name", "missing_required_parameter"), ("{}", "name", "missing_required_parameter"),
    (#"{"rights":"read_only","x":1}"#, "name", "missing_required_parameter"),
    (#"{"name":"a"}"#, "rights", "missing_required_parameter"),
    (#"{"name":"a","rights":"read_only","x":1}"#, "x", "unknown_parameter"),
    (#"{"name":"a","rights":"read_only","admin":false}"#, "admin", "unknown_parameter"),
    (#"{"name":5,"rights":"read_only"}"#, "name", "invalid_type"),
    (#"{"name":null,"rights":"read_only"}"#, "name", "invalid_type"),
    (#"{"name":"","rights":"read_only"}"#, "name", "invalid_value"),
    (#"{"name":"a\n","rights":"read_only"}"#, "name", "invalid_value"),
    (#"{"name":"\u0000","rights":"read_only"}"#, "name", "invalid_value"),
    (#"{"name":"\u0085","rights":"read_only"}"#, "name", "invalid_value"),
    (
      #"{"name":"\#(String(repeating: "n", count: 65))","rights":"read_only"}"#, "name",
      "string_above_max_length"
    ),
    (#"{"name":"a","rights":1}"#, "rights", "invalid_type"),
    (#"{"name":"a","rights":"admin"}"#, "rights", "invalid_value"),
    (#"{"name":"a","rights":"read-only"}"#, "rights", "invalid_value"),
    (#"{"name":"a","rights":"read_only","expires_at":"1"}"#, "expires_at", "invalid_type"),
    (#"{"name":"a","rights":"read_only","expires_at":1.5}"#, "expires_at", "invalid_type"),
    (#"{"name":"a","rights":"read_only","expires_at":1}"#, "expires_at", "integer_below_min_value"),
    (
      #"{"name":"a","rights":"read_only","expires_at":-99999999999999999999}"#, "expires_at",
      "integer_below_min_value"
    ),
    (
      #"{"name":"a","rights":"read_only","expires_at":99999999999}"#, "expires_at",
      "integer_above_max_value"
    ),
    (
      #"{"name":"a","rights":"read_only","expires_at":99999999999999999999}"#, "expires_at",
      "integer_above_max_value"
    ),
  ]

  @Test(arguments: faults)
  func `a wrong body is refused with the parameter`(
    fault: (json: String, param: String?, code: String)
  ) async throws {
    let service = try Service(.inProcess)
    let admin = try service.makeKey("admin", isAdmin: true)
    let answer = try await service.send("POST", Self.path, key: admin, json: fault.json)
    #expect(answer.status == 400)
    let error = try APIErrorBody(answer.body)
    #expect(error.code == fault.code)
    #expect(error.param == fault.param)
    #expect(try await names(service, admin) == ["admin"])
  }

  @Test(arguments: [
    "none", "ADMIN", "%20", String(repeating: "n", count: 300), "a%2Fb", "%00", "crm",
  ])
  func `a name that no key has is not found, whatever it is`(name: String) async throws {
    let service = try Service(.inProcess)
    let admin = try service.makeKey("admin", isAdmin: true)
    _ = try service.makeKey("crm")
    try service.revokeKey("crm")
    let answer = try await service.send("DELETE", "\(Self.path)/\(name)", key: admin)
    #expect(answer.status == 404)
    let error = try APIErrorBody(answer.body)
    #expect(error.code == nil && error.param == nil)
    #expect(error.message.hasPrefix("API key with name '"))
  }

  @Test func `a lock, a broken schema and a deadline are told as everywhere`() async throws {
    let service = try Service(.inProcess, settings: .init(busyTimeoutMilliseconds: 10))
    let admin = try service.makeKey("admin", isAdmin: true)
    _ = try service.makeKey("crm")
    let json = #"{"name":"new","rights":"read_only"}"#
    let requests = [("POST", Self.path, json), ("DELETE", "\(Self.path)/crm", "")]
    let outsider = try service.outsider()
    try outsider.execute("BEGIN IMMEDIATE")
    for (method, target, json) in requests {
      let answer = try await service.send(method, target, key: admin, json: json)
      #expect(answer.status == 503)
      #expect(answer.errorCode == "unavailable")
    }
    try outsider.execute("ROLLBACK")
    for event in ["INSERT", "UPDATE"] {
      try outsider.execute(
        """
        CREATE TRIGGER broken_\(event) BEFORE \(event) ON api_keys
        BEGIN SELECT RAISE(ABORT, 'internal words'); END
        """)
    }
    for (method, target, json) in requests {
      let answer = try await service.send(method, target, key: admin, json: json)
      #expect(answer.status == 500)
      #expect(!answer.body.contains("internal words"))
    }
    #expect(try await names(service, admin) == ["admin", "crm"])

    let hasty = try Service(.inProcess, settings: .init(queryTimeoutMilliseconds: 0))
    let key = try hasty.makeKey("admin", isAdmin: true)
    let answer = try await hasty.send("GET", Self.path, key: key)
    #expect(answer.status == 503)
    #expect(answer.errorCode == "query_timeout")
  }

  @Test func `a key that is made is in no line of the log`() async throws {
    let log = LogRecorder()
    let service = try Service(.inProcess, log: log)
    let admin = try service.makeKey("admin", isAdmin: true)
    let made = try await service.send(
      "POST", Self.path, key: admin, json: #"{"name":"n","rights":"read_only"}"#)
    let value = try #require(try members(made)["value"] as? String)
    #expect(try await service.send("GET", "/v1/me", key: value).status == 200)
    #expect(!log.everything.contains(value))
    #expect(log.events("request").count == 2)
  }
}
