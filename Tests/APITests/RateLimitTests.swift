import Conversations
import Repository
import SQLite
import SQLiteStore
import Testing

@testable import API

/// The bucket of a key, with given instants.
@Suite struct RateLimitTests {
  private let start = ContinuousClock.now

  @Test(arguments: [1, 2, 60, 500])
  func `a minute's requests may come at once, and no more`(perMinute: Int) throws {
    let limit = RateLimit()
    for number in 1...perMinute {
      let allowance = limit.take(key: 1, perMinute: perMinute, now: start)
      #expect(allowance.retryAfter == nil)
      #expect(allowance.limit == perMinute)
      #expect(allowance.remaining == perMinute - number)
    }
    for _ in 1...3 {
      let refused = limit.take(key: 1, perMinute: perMinute, now: start)
      #expect(refused.remaining == 0)
      #expect(refused.retryAfter?.milliseconds == (60_000 + perMinute - 1) / perMinute)
      #expect(refused.reset.milliseconds == 60_000)
    }
  }

  @Test func `the bucket fills again steadily, and never above a minute's requests`() throws {
    let limit = RateLimit()
    for _ in 1...60 { _ = limit.take(key: 1, perMinute: 60, now: start) }
    // Seconds since the start, then what is known of the request that comes there.
    let steps: [(seconds: Double, remaining: Int, reset: Int, retryAfter: Int?)] = [
      (0.25, 0, 59_750, 750),
      (0.75, 0, 59_250, 250),
      (1, 0, 60_000, nil),
      (1, 0, 60_000, 1000),
      // A refused request costs nothing.
      (2.5, 0, 59_500, nil),
      (12.5, 9, 50_500, nil),
      (12.5, 8, 51_500, nil),
      (3600, 59, 1000, nil),
      (3600, 58, 2000, nil),
    ]
    for step in steps {
      let allowance = limit.take(key: 1, perMinute: 60, now: start + .seconds(step.seconds))
      #expect(allowance.remaining == step.remaining)
      #expect(allowance.reset.milliseconds == step.reset)
      #expect(allowance.retryAfter?.milliseconds == step.retryAfter)
    }
  }

  @Test func `whoever waits as told is let in, and whoever comes earlier is not`() throws {
    for perMinute in Array(1...1000) + [6000, 59_999, 60_000] {
      let limit = RateLimit()
      var now = start
      for _ in 1...perMinute { _ = limit.take(key: 1, perMinute: perMinute, now: now) }
      for _ in 1...5 {
        func take(after milliseconds: Int = 0) -> RateLimit.Allowance {
          limit.take(key: 1, perMinute: perMinute, now: now + .milliseconds(milliseconds))
        }
        let wait = try #require(take().retryAfter).milliseconds
        #expect(take(after: wait - 2).retryAfter != nil)
        now += .milliseconds(wait)
        let allowance = take()
        #expect(allowance.retryAfter == nil, "\(perMinute) a minute, after \(wait) ms")
      }
    }
  }

  @Test func `a clock that goes back neither fills nor empties the bucket`() throws {
    let limit = RateLimit()
    #expect(limit.take(key: 1, perMinute: 2, now: start).retryAfter == nil)
    #expect(limit.take(key: 1, perMinute: 2, now: start - .seconds(3600)).retryAfter == nil)
    let refused = limit.take(key: 1, perMinute: 2, now: start - .seconds(3600))
    #expect(refused.retryAfter == .seconds(30))
    // The hour in between does not count again.
    #expect(limit.take(key: 1, perMinute: 2, now: start).retryAfter == .seconds(30))
    #expect(limit.take(key: 1, perMinute: 2, now: start + .seconds(30)).retryAfter == nil)
  }

  @Test func `each key has a bucket of its own`() throws {
    let limit = RateLimit()
    for key in [Int64(0), 1, 2, .max] {
      #expect(limit.take(key: key, perMinute: 1, now: start).retryAfter == nil)
      #expect(limit.take(key: key, perMinute: 1, now: start).retryAfter != nil)
    }
  }

  @Test func `a bucket is as full under another limit as it was under the one before`() {
    let limit = RateLimit()
    for _ in 1...2 { _ = limit.take(key: 1, perMinute: 4, now: start) }
    #expect(limit.take(key: 1, perMinute: 100, now: start).remaining == 49)
    #expect(limit.take(key: 1, perMinute: 1, now: start).retryAfter != nil)
  }

  @Test func `many threads at once get no more than the bucket has`() async throws {
    let limit = RateLimit()
    let allowed = await withTaskGroup { group in
      for _ in 1...8 {
        group.addTask { @concurrent in
          (1...50).count { _ in limit.take(key: 1, perMinute: 100, now: start).retryAfter == nil }
        }
      }
      return await group.reduce(0, +)
    }
    #expect(allowed == 100)
  }

  @Test(arguments: [
    (Duration.zero, "0ms"), (.microseconds(1), "1ms"), (.milliseconds(120), "120ms"),
    (.microseconds(998_500), "999ms"), (.microseconds(999_500), "1s"), (.seconds(1), "1s"),
    (.milliseconds(1001), "2s"),
    (.seconds(59), "59s"), (.milliseconds(59_001), "1m0s"), (.seconds(60), "1m0s"),
    (.seconds(61), "1m1s"), (.seconds(360), "6m0s"), (.seconds(3600), "60m0s"),
  ])
  func `a duration is shown as OpenAI's service does`(duration: Duration, text: String) {
    #expect(duration.shown == text)
  }
}

/// What clients see of the limit.
@Suite struct RateLimitAnswerTests {
  private static let fields = [
    "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests",
  ]

  private func service(
    _ transport: Service.Transport = .inProcess, perMinute: Int
  ) throws -> Service {
    try Service(transport, apiSettings: API.Settings(requestsPerMinuteMax: perMinute))
  }

  private func makeKey(_ service: Service, name: String, isReadOnly: Bool = false) throws -> String
  {
    try APIKeys(path: service.databasePath).create(
      name: name, project: "default", rights: isReadOnly ? .readOnly : .readWrite,
      lifetimeSeconds: nil
    ).text
  }

  private func expectNoFields(_ answer: Service.Answer) {
    for name in Self.fields + ["retry-after", "retry-after-ms"] {
      #expect(answer.headers[name] == nil)
    }
  }

  @Test(arguments: Service.Transport.allCases)
  func `the request past the limit is answered 429 and does nothing`(
    transport: Service.Transport
  ) async throws {
    let service = try service(transport, perMinute: 2)
    for remaining in [1, 0] {
      let answer = try await service.create()
      #expect(answer.headers[Self.fields[0]] == "2")
      #expect(answer.headers[Self.fields[1]] == "\(remaining)")
      #expect(answer.headers[Self.fields[2]] == (remaining == 1 ? "30s" : "1m0s"))
      #expect(answer.headers["retry-after"] == nil)
      #expect(answer.headers["retry-after-ms"] == nil)
    }
    let refused = try await service.send("POST", "/v1/conversations", json: "{}")
    #expect(refused.status == 429)
    let error = try APIErrorBody(refused.body)
    #expect(error.type == "requests")
    #expect(error.code == "rate_limit_exceeded")
    #expect(error.param == nil)
    #expect(
      error.message == "Rate limit reached for requests per min (RPM): Limit 2, Requested 1. "
        + "Please try again in 30s.")
    let milliseconds = try #require(Int(refused.headers["retry-after-ms"] ?? ""))
    #expect((1...30_000).contains(milliseconds))
    #expect(refused.headers["retry-after"] == "\((milliseconds + 999) / 1000)")
    #expect(Self.fields.map { refused.headers[$0] } == ["2", "0", "1m0s"])
    #expect(refused.headers["x-request-id"] != nil)
    #expect(refused.headers["x-should-retry"] == nil)
    #expect(try service.outsider().integer("SELECT count(*) FROM conversations") == 2)
    await service.stop()
  }

  @Test(arguments: [
    ("GET", "/v1/conversations/conv_x", "", 404), ("GET", "/v1/nope", "", 404),
    ("PUT", "/v1/conversations", "", 405), ("POST", "/v1/conversations", "[", 400),
    ("GET", "/v1/conversations?limit=0", "", 400), ("HEAD", "/v1/conversations", "", 200),
    ("GET", "/metrics", "", 200), ("GET", "/v1/%ff", "", 400),
  ])
  func `errors count too, and say what is left`(
    method: String, target: String, json: String, status: Int
  ) async throws {
    let service = try service(perMinute: 10)
    for remaining in ["9", "8"] {
      let answer = try await service.send(method, target, json: json)
      #expect(answer.status == status)
      #expect(answer.headers[Self.fields[0]] == "10")
      #expect(answer.headers[Self.fields[1]] == remaining)
      #expect(answer.headers[Self.fields[2]] != nil)
    }
  }

  @Test func `a body that is too large counts too`() async throws {
    let service = try service(perMinute: 10)
    let body = [UInt8](repeating: 0x20, count: Service.bodyBytesMax + 1)
    let answer = try await service.send("POST", "/v1/conversations", body: body)
    #expect(answer.status == 413)
    #expect(answer.headers[Self.fields[1]] == "9")
  }

  @Test func `it is off by default`() async throws {
    let service = try Service(.inProcess)
    for _ in 1...100 { expectNoFields(try await service.send("GET", "/v1/conversations")) }
    expectNoFields(try await service.send("GET", "/v1/nope"))
  }

  @Test(arguments: ["/healthz", "/readyz", "/openapi.json"])
  func `routes that are open to all are not counted`(path: String) async throws {
    let service = try service(perMinute: 1)
    for _ in 1...3 {
      let answer = try await service.send("GET", path)
      #expect(answer.status == 200)
      expectNoFields(answer)
    }
    #expect(try await service.create().headers[Self.fields[1]] == "0")
    // Nor refused.
    #expect(try await service.send("GET", "/v1/conversations").status == 429)
    #expect(try await service.send("GET", path).status == 200)
    #expect(try await service.send("PUT", path).status == 405)
  }

  @Test func `open metrics are not counted`() async throws {
    let settings = API.Settings(requestsPerMinuteMax: 1, hasOpenMetrics: true)
    let service = try Service(.inProcess, apiSettings: settings)
    for _ in 1...3 {
      let answer = try await service.send("GET", "/metrics")
      #expect(answer.status == 200)
      expectNoFields(answer)
    }
  }

  @Test func `a preflight is not counted`() async throws {
    let settings = API.Settings(
      corsOrigins: ["https://app.example.com"], requestsPerMinuteMax: 1)
    let service = try Service(.inProcess, apiSettings: settings)
    for _ in 1...3 {
      let answer = try await service.send(
        "OPTIONS", "/v1/conversations",
        headers: [
          ("Origin", "https://app.example.com"), ("Access-Control-Request-Method", "POST"),
        ])
      #expect(answer.status < 300)
      expectNoFields(answer)
    }
    #expect(try await service.create().headers[Self.fields[1]] == "0")
  }

  @Test func `each key has its own, and a request without a right key takes of none`() async throws
  {
    let service = try service(perMinute: 2)
    // Without a key, while there is none.
    #expect(try await service.create().headers[Self.fields[1]] == "1")
    let mine = try makeKey(service, name: "mine")
    let reader = try makeKey(service, name: "reader", isReadOnly: true)
    func get(_ key: String?) async throws -> Service.Answer {
      try await service.send(
        "GET", "/v1/conversations", headers: key.map { [("Authorization", "Bearer \($0)")] } ?? [])
    }
    for key in [nil, "sk-wrong", String(mine.dropLast())] {
      let answer = try await get(key)
      #expect(answer.status == 401)
      expectNoFields(answer)
    }
    for key in [mine, reader] {
      #expect(try await get(key).headers[Self.fields[1]] == "1")
      #expect(try await get(key).headers[Self.fields[1]] == "0")
      #expect(try await get(key).status == 429)
    }
    // A wrong key is told first.
    #expect(try await get("sk-wrong").status == 401)
  }

  @Test func `what a key may not do counts too`() async throws {
    let service = try service(perMinute: 2)
    let reader = try makeKey(service, name: "reader", isReadOnly: true)
    for status in [403, 403, 429] {
      let answer = try await service.send(
        "POST", "/v1/conversations", headers: [("Authorization", "Bearer \(reader)")], json: "{}")
      #expect(answer.status == status)
      #expect(answer.headers[Self.fields[0]] == "2")
    }
  }
}
