import HTTPTypes
import SQLite
import SQLiteStore
import Testing

@testable import API

/// A key that may only read: GET and HEAD, else 403.
@Suite struct ReadOnlyKeyTests {
  private static let message =
    "You have insufficient permissions for this operation: the API key may only read (GET and HEAD)."

  private static let methods = [
    "GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS", "TRACE", "FOO",
  ]

  private func expectForbidden(_ answer: Service.Answer, _ comment: Comment? = nil) throws {
    #expect(answer.status == 403, comment)
    let error = try APIErrorBody(answer.body)
    #expect(error.message == Self.message)
    #expect(error.type == "invalid_request_error")
    #expect(error.param == nil)
    #expect(error.code == "insufficient_permissions")
    // RFC 9110, section 15.5.4: another key would do, asking again with this one would not.
    #expect(answer.headers["www-authenticate"] == nil)
  }

  /// What is answered on each route to each method is what a key with all rights gets, except where
  /// that would write.
  @Test(arguments: Service.Transport.allCases)
  func `it reads on every route and writes on none`(transport: Service.Transport) async throws {
    let service = try Service(transport)
    let existing = try await service.create(
      #"{"metadata":{"a":"1"},"items":[{"id":"msg_a","role":"user","content":""}]}"#)
    let reading = try service.makeKey("reading", isReadOnly: true)
    let writing = try service.makeKey("writing")
    for route in Route.all where route.audience != .browsers {
      let target = route.path.replacing(
        "/v1/conversations/{conversation_id}", with: existing.path
      ).replacing("{item_id}", with: "msg_a")
        .replacing("metadata_values", with: "metadata_values?key=a")
      let allowed = route.operations.map(\.method.rawValue)
      for method in Self.methods {
        let answer = try await service.send(
          method, target, key: reading, json: #"{"metadata":{"a":"2"}}"#,
          hasContent: method != "HEAD")
        let label: Comment = "\(method) \(route.path)"
        if ["GET", "HEAD"].contains(method) {
          let isOfAdmins = route.path == "/metrics" || route.audience == .administrators
          #expect(
            answer.status == (!allowed.contains("GET") ? 405 : isOfAdmins ? 403 : 200), label)
        } else if allowed.contains(method) {
          try expectForbidden(answer, label)
        } else {
          #expect(answer.status == 405, label)
        }
      }
    }
    #expect(try await service.send("GET", existing.path, key: reading).body == existing.body)
    #expect(try service.outsider().integer("SELECT count(*) FROM conversations") == 1)

    let changed = try await service.send(
      "POST", existing.path, key: writing, json: #"{"metadata":{"a":"2"}}"#)
    #expect(changed.status == 200)
    #expect(try await service.send("GET", existing.path, key: reading).body == changed.body)
    await service.stop()
  }

  @Test(arguments: [
    ("POST", "/v1/x", "", 404), ("DELETE", "/v1/conversations", "", 405),
    ("PUT", "/v1/conversations", "{", 405), ("POST", "/v1/conversations/a%zz", "", 400),
    ("POST", "/v1/conversations", "{", 403), ("POST", "/v1/conversations", "", 403),
    ("POST", "/v1/conversations?a=b", "{}", 403), ("DELETE", "/v1/conversations/x", "", 403),
    ("PATCH", "/v1/conversations/x", #"{"x":1}"#, 403), ("POST", "/v1/conversations/x", "", 403),
    ("POST", "/v1/conversations", String(repeating: " ", count: Service.bodyBytesMax + 1), 403),
    ("GET", "/v1/conversations", String(repeating: " ", count: Service.bodyBytesMax + 1), 413),
    ("GET", "/v1/conversations?limit=x", "", 400), ("GET", "/v1/conversations/x", "", 404),
  ])
  func `the right is looked at after route and method, and before all else`(
    method: String, target: String, body: String, status: Int
  ) async throws {
    let service = try Service(.inProcess)
    let key = try service.makeKey(isReadOnly: true)
    let answer = try await service.send(method, target, key: key, json: body)
    if status == 403 { try expectForbidden(answer) } else { #expect(answer.status == status) }
  }

  @Test func `an idempotency key gives it no other's answer`() async throws {
    let service = try Service(.inProcess)
    let writing = try service.makeKey("writing")
    let headers = [("Idempotency-Key", "i")]
    let first = try await service.send("POST", "/v1/conversations", key: writing, headers: headers)
    #expect(first.status == 200)
    let reading = try service.makeKey("reading", isReadOnly: true)
    try expectForbidden(
      try await service.send("POST", "/v1/conversations", key: reading, headers: headers))
  }
}
