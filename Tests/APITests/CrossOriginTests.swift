import API
import Testing

/// Who may use the service from a web page of another origin, and what its scripts may read.
@Suite struct CrossOriginTests {
  private static let app = "https://app.example.com"
  private static let tool = "http://tool.internal:3000"
  private static let settings = API.Settings(
    corsOrigins: [app, tool], requestsPerMinuteMax: AnswerKind.requestsPerMinuteMax)

  struct Question: Sendable {
    let method: String
    let target: String
    let headers: [(name: String, value: String)]
    /// Without a key, where there are none; and where there are.
    let status: (withoutKeys: Int, withKeys: Int)

    init(
      _ method: String = "OPTIONS", _ target: String = "/v1/conversations", from origin: String?,
      asks asked: String?, _ status: (Int, Int)
    ) {
      self.method = method
      self.target = target
      self.status = status
      headers =
        (origin.map { [("Origin", $0)] } ?? [])
        + (asked.map { [("Access-Control-Request-Method", $0)] } ?? [])
    }
  }

  @Test(arguments: [
    Question(from: app, asks: "POST", (204, 204)),
    Question(from: tool, asks: "DELETE", (204, 204)),
    Question(from: app, asks: "BREW", (204, 204)),
    Question("OPTIONS", "/v1/conversations/conv_x", from: app, asks: "PATCH", (204, 204)),
    Question("OPTIONS", "/healthz", from: app, asks: "GET", (204, 204)),
    Question("OPTIONS", "/nope", from: app, asks: "GET", (204, 204)),
    // OPTIONS, but not a browser's question.
    Question(from: app, asks: nil, (405, 401)),
    Question(from: nil, asks: "POST", (405, 401)),
    Question("OPTIONS", "/healthz", from: nil, asks: "GET", (405, 405)),
    // The question of a browser is OPTIONS.
    Question("GET", from: app, asks: "GET", (200, 401)),
    Question("options", from: app, asks: "GET", (405, 401)),
    // Other origins; browsers write them in one way only.
    Question(from: "https://example.com", asks: "POST", (403, 401)),
    Question(from: "https://APP.example.com", asks: "POST", (403, 401)),
    Question(from: app + "/", asks: "POST", (403, 401)),
    Question(from: app + ":443", asks: "POST", (403, 401)),
    Question(from: app + " " + tool, asks: "POST", (403, 401)),
    Question(from: "null", asks: "POST", (403, 401)),
    Question(from: "", asks: "POST", (403, 401)),
    Question("OPTIONS", "/healthz", from: "https://example.com", asks: "GET", (405, 405)),
  ])
  func `a browser's question is answered before authentication, to pages on the list`(
    question: Question
  ) async throws {
    let service = try Service(.inProcess, apiSettings: Self.settings)
    let send = {
      try await service.send(question.method, question.target, headers: question.headers)
    }
    let first = try await send()
    #expect(first.status == question.status.withoutKeys)
    _ = try service.makeKey()
    let second = try await send()
    #expect(second.status == question.status.withKeys)

    for answer in [first, second] {
      #expect(answer.headers["vary"] == "Origin")
      let isPreflight = answer.status == 204
      #expect((answer.headers["access-control-allow-methods"] != nil) == isPreflight)
      #expect((answer.headers["access-control-max-age"] != nil) == isPreflight)
      #expect((answer.headers["allow"] != nil) == (answer.status == 405))
      if isPreflight { #expect(answer.body == "") }
    }
  }

  @Test(arguments: [
    nil, "content-type", "authorization, content-type,x-stainless-lang", "x-\u{E9}",
  ])
  func `the fields that a page wants to send are allowed as they were named`(
    fields: String?
  ) async throws {
    let service = try Service(.inProcess, apiSettings: Self.settings)
    let asked = fields.map { [("Access-Control-Request-Headers", $0)] } ?? []
    let answer = try await service.send(
      "OPTIONS", "/v1/conversations",
      headers: [("Origin", Self.app), ("Access-Control-Request-Method", "POST")] + asked)
    #expect(answer.status == 204)
    #expect(answer.headers["access-control-allow-headers"] == fields)
  }

  @Test func `what a page may send is what there is`() async throws {
    let service = try Service(.inProcess, apiSettings: Self.settings)
    let answer = try await service.send(
      "OPTIONS", "/v1/conversations",
      headers: [("Origin", Self.app), ("Access-Control-Request-Method", "POST")])
    let methods = answer.headers["access-control-allow-methods"]?.split(separator: ", ")
    #expect(Set(methods ?? []) == ["GET", "HEAD", "POST", "PATCH", "DELETE"])
    // Keys come in a field that the page sets: a browser adds nothing by itself.
    #expect(answer.headers["access-control-allow-credentials"] == nil)
  }

  @Test(arguments: AnswerKind.all, [app, tool])
  func `a page on the list can read every answer`(kind: AnswerKind, origin: String) async throws {
    let service = try Service(.inProcess, apiSettings: Self.settings)
    let answer = try await kind.provoke(service, headers: [("Origin", origin)])
    #expect(answer.headers["access-control-allow-origin"] == origin)
    #expect(answer.headers["vary"] == "Origin")
    let exposed = answer.headers["access-control-expose-headers"]?.split(separator: ", ")
    let safelisted = ["cache-control", "content-type"]
    let ours = answer.headers.keys.filter {
      !$0.hasPrefix("access-control-") && !safelisted.contains($0)
    }
    // The others are for browsers and for those who look for the interface.
    let unread = ["allow", "vary", "www-authenticate", "x-content-type-options"]
    #expect(Set(ours).subtracting(unread).isSubset(of: Set((exposed ?? []).map(String.init))))
  }

  @Test(arguments: AnswerKind.all)
  func `caches are told that answers differ, also where no page asks`(
    kind: AnswerKind
  ) async throws {
    let service = try Service(.inProcess, apiSettings: Self.settings)
    let answer = try await kind.provoke(service)
    #expect(answer.headers["vary"] == "Origin")
    #expect(!answer.headers.keys.contains { $0.hasPrefix("access-control-") })
  }

  @Test func `a question takes no request from the rate of a key`() async throws {
    let service = try Service(.inProcess, apiSettings: Self.settings)
    for _ in 0..<10 {
      let answer = try await service.send(
        "OPTIONS", "/v1/conversations",
        headers: [("Origin", Self.app), ("Access-Control-Request-Method", "GET")])
      #expect(answer.status == 204)
      #expect(answer.headers["x-ratelimit-remaining-requests"] == nil)
    }
    #expect(try await service.send("GET", "/v1/conversations").status == 200)
  }
}
