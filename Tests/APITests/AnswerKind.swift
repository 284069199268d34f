import Conversations
import Repository
import SQLite
import SQLiteStore
import Testing

/// A way to get one kind of answer, for what all answers have in common.
struct AnswerKind: Sendable, CustomTestStringConvertible {
  let name: String
  let status: Int
  private let method: String
  private let target: String
  private let headers: [(name: String, value: String)]
  private let body: String
  private let prepare: @Sendable (Service) async throws -> Void
  /// How many requests `prepare` sends.
  let requestsBefore: Int

  /// How many requests a service must allow a key in a minute.
  static let requestsPerMinuteMax = 2

  var testDescription: String { "\(status) \(name)" }

  private init(
    _ status: Int, _ name: String, _ method: String, _ target: String,
    headers: [(name: String, value: String)] = [], body: String = "",
    requestsBefore: Int = 0, prepare: @escaping @Sendable (Service) async throws -> Void = { _ in }
  ) {
    self.name = name
    self.status = status
    self.method = method
    self.target = target
    self.headers = headers
    self.body = body
    self.requestsBefore = requestsBefore
    self.prepare = prepare
  }

  /// Makes what is needed, sends the request, and expects its status.
  func provoke(
    _ service: Service, headers more: [(name: String, value: String)] = []
  ) async throws -> Service.Answer {
    let id = try await service.repository.createConversation(metadata: metadata([:]), in: .default)
      .id
    try await prepare(service)
    let answer = try await service.send(
      method, target.replacing("{id}", with: id.description), headers: headers + more,
      body: Array(body.utf8), hasContent: method != "HEAD" && status != 304)
    #expect(answer.status == status)
    return answer
  }

  static let all: [AnswerKind] = [
    AnswerKind(200, "a conversation", "GET", "/v1/conversations/{id}"),
    AnswerKind(200, "a list", "GET", "/v1/conversations"),
    AnswerKind(200, "the client itself", "GET", "/v1/me"),
    AnswerKind(200, "keys", "GET", "/v1/conversations/metadata_keys"),
    AnswerKind(200, "values", "GET", "/v1/conversations/metadata_values?key=a"),
    AnswerKind(200, "a count", "GET", "/v1/conversations/count"),
    AnswerKind(200, "a new conversation", "POST", "/v1/conversations", body: "{}"),
    AnswerKind(200, "a deleted conversation", "DELETE", "/v1/conversations/{id}"),
    AnswerKind(200, "no body", "HEAD", "/v1/conversations/{id}"),
    AnswerKind(200, "health", "GET", "/healthz"),
    AnswerKind(200, "readiness", "GET", "/readyz"),
    AnswerKind(200, "metrics", "GET", "/metrics"),
    AnswerKind(200, "the description", "GET", "/openapi.json"),
    AnswerKind(
      200, "a repeated answer", "POST", "/v1/conversations",
      headers: [("Idempotency-Key", "k")], body: "{}", requestsBefore: 1
    ) {
      _ = try await $0.send(
        "POST", "/v1/conversations", headers: [("Idempotency-Key", "k")], json: "{}")
    },
    AnswerKind(
      304, "not modified", "GET", "/v1/conversations/{id}", headers: [("If-None-Match", "*")]),
    AnswerKind(400, "bad JSON", "POST", "/v1/conversations", body: "{"),
    AnswerKind(400, "a bad target", "GET", "/v1/conversations/%zz"),
    AnswerKind(401, "no key", "GET", "/v1/conversations") { _ = try $0.makeKey() },
    AnswerKind(
      401, "a wrong key", "GET", "/v1/conversations", headers: [("Authorization", "Bearer sk-x")]
    ) { _ = try $0.makeKey() },
    AnswerKind(
      403, "a foreign host", "GET", "/v1/conversations", headers: [("Host", "example.com")]),
    AnswerKind(404, "no route", "GET", "/nope"),
    AnswerKind(404, "no conversation", "GET", "/v1/conversations/conv_x"),
    AnswerKind(405, "a wrong method", "PUT", "/v1/conversations"),
    AnswerKind(
      412, "a failed precondition", "DELETE", "/v1/conversations/{id}",
      headers: [("If-Match", "\"x\"")]),
    AnswerKind(
      413, "a large body", "POST", "/v1/conversations",
      body: String(repeating: " ", count: Service.bodyBytesMax + 1)),
    AnswerKind(
      422, "a reused key", "POST", "/v1/conversations", headers: [("Idempotency-Key", "k")],
      body: "{ }", requestsBefore: 1
    ) {
      _ = try await $0.send(
        "POST", "/v1/conversations", headers: [("Idempotency-Key", "k")], json: "{}")
    },
    AnswerKind(
      429, "too many requests", "GET", "/v1/conversations", requestsBefore: requestsPerMinuteMax
    ) { service in
      for _ in 0..<requestsPerMinuteMax {
        let answer = try await service.send("GET", "/v1/conversations")
        #expect(answer.status == 200)
      }
    },
    AnswerKind(500, "a failure", "POST", "/v1/conversations", body: "{}") {
      try $0.outsider().execute(
        """
        CREATE TRIGGER boom BEFORE INSERT ON conversations
        BEGIN SELECT RAISE(ABORT, 'internal words'); END
        """)
    },
    AnswerKind(503, "shutting down", "POST", "/v1/conversations", body: "{}") {
      await $0.repository.close()
    },
  ]
}
