import Repository
import SQLite
import SQLiteStore
import TestSupport
import Testing

/// What an `Idempotency-Key` does (contract, section 7); its form is in `APICase.idempotencyKeys`.
@Suite struct IdempotencyTests {
  private static let json = #"{"metadata":{"a":"1"}}"#

  private func create(
    _ service: Service, key: String = "k", json: String = json
  ) async throws -> Service.Answer {
    try await service.send(
      "POST", "/v1/conversations", headers: [("Idempotency-Key", key)], json: json)
  }

  private func expectReplay(_ answer: Service.Answer, of first: Service.Answer) {
    #expect(answer.status == first.status)
    #expect(answer.body == first.body)
    #expect(answer.eTag == first.eTag)
    #expect(answer.headers["content-type"] == first.headers["content-type"])
    #expect(answer.headers["idempotent-replayed"] == "true")
    #expect(answer.headers["x-request-id"] != first.headers["x-request-id"])
  }

  /// How many conversations and how many remembered keys there are.
  private func counts(_ service: Service) throws -> [Int64] {
    let outsider = try service.outsider()
    return [
      try outsider.integer("SELECT count(*) FROM conversations"),
      try outsider.integer("SELECT count(*) FROM idempotency_keys"),
    ]
  }

  @Test(arguments: Service.Transport.allCases)
  func `a repeat gets the first answer, byte for byte, and creates nothing`(
    transport: Service.Transport
  ) async throws {
    let service = try Service(transport)
    let json = "{\"metadata\":{\"\u{1F600}\":\"\\u00e9\\n\\\"\",\"\":\"\"} }"
    let first = try await create(service, json: json)
    #expect(first.status == 200)
    #expect(first.headers["idempotent-replayed"] == nil)
    expectReplay(try await create(service, json: json), of: first)

    // Also when the conversation is another one by now.
    let changed = try await service.send("POST", first.path, json: #"{"metadata":{"b":"2"}}"#)
    expectReplay(try await create(service, json: json), of: first)
    #expect(try await service.send("GET", first.path).body == changed.body)
    #expect(try counts(service) == [1, 1])
    await service.stop()
  }

  @Test func `a conversation with no body at all is repeated too`() async throws {
    let service = try Service(.inProcess)
    let first = try await create(service, json: "")
    expectReplay(try await create(service, json: ""), of: first)
    #expect(try await create(service, json: "{}").errorCode == "idempotency_key_reused")
  }

  @Test(arguments: Service.Transport.allCases)
  func `50 identical requests at once create one conversation`(
    transport: Service.Transport
  ) async throws {
    let service = try Service(transport)
    let answers = try await withThrowingTaskGroup { group in
      for _ in 0..<50 { group.addTask { try await create(service) } }
      return try await group.reduce(into: [Service.Answer]()) { $0.append($1) }
    }
    #expect(answers.allSatisfy { $0.status == 200 && $0.body == answers[0].body })
    #expect(Set(answers.map(\.eTag)) == [answers[0].eTag])
    #expect(answers.count { $0.headers["idempotent-replayed"] == nil } == 1)
    #expect(Set(answers.map { $0.headers["x-request-id"] }).count == 50)
    #expect(try counts(service) == [1, 1])
    await service.stop()
  }

  @Test(arguments: [
    #"{"metadata":{"a":"2"}}"#, #"{"metadata":{"a":"1"} }"#, #"{"metadata":{"\u0061":"1"}}"#, "",
  ])
  func `the same key with other bytes is a 422`(json: String) async throws {
    let service = try Service(.inProcess)
    let first = try await create(service)
    let answer = try await create(service, json: json)
    #expect(answer.status == 422)
    let error = try APIErrorBody(answer.body)
    #expect(error.type == "invalid_request_error")
    #expect(error.param == nil)
    #expect(error.code == "idempotency_key_reused")
    #expect(
      error.message
        == "The 'Idempotency-Key' was used with another path or request body. Use a new key for a new "
        + "request.")
    #expect(answer.headers["etag"] == nil)
    #expect(answer.headers["idempotent-replayed"] == nil)
    #expect(try counts(service) == [1, 1])
    // The key still stands for its first request.
    expectReplay(try await create(service), of: first)
  }

  @Test func `of two requests with one key at once, one creates and the other is a 422`()
    async throws
  {
    let service = try Service(.inProcess)
    for round in 0..<10 {
      async let one = create(service, key: "\(round)", json: #"{"metadata":{"a":"1"}}"#)
      async let other = create(service, key: "\(round)", json: #"{"metadata":{"a":"2"}}"#)
      #expect(try await [one.status, other.status].sorted() == [200, 422])
    }
    #expect(try counts(service) == [10, 10])
  }

  @Test func `each key is its own, as it is spelt`() async throws {
    let service = try Service(.inProcess)
    let keys = ["k", "K", "\"k\"", "k,k", "%6B", String(repeating: "k", count: 255)]
    for key in keys {
      #expect(try await create(service, key: key).headers["idempotent-replayed"] == nil)
    }
    for key in keys {
      #expect(try await create(service, key: key).headers["idempotent-replayed"] == "true")
    }
    #expect(try counts(service) == [Int64(keys.count), Int64(keys.count)])
  }

  @Test(arguments: [
    #"{"metadata":5}"#, "{", #"{"x":1}"#, #"{"metadata":{"a":null}}"#, #"{"items":[1]}"#,
  ])
  func `a request that fails is not recorded and does not use up its key`(
    json: String
  ) async throws {
    let service = try Service(.inProcess)
    for _ in 0..<2 {
      let refused = try await create(service, json: json)
      #expect(refused.status == 400)
      #expect(refused.headers["idempotent-replayed"] == nil)
    }
    #expect(try counts(service) == [0, 0])
    let created = try await create(service)
    #expect(created.status == 200)
    #expect(created.headers["idempotent-replayed"] == nil)
    // The key is taken now; what is wrong with the body is told all the same.
    #expect(try await create(service, json: json).status == 400)
    expectReplay(try await create(service), of: created)
  }

  @Test func `a request that could not be stored does not use up its key`() async throws {
    let service = try Service(.inProcess, settings: .init(busyTimeoutMilliseconds: 10))
    let outsider = try service.outsider()
    try outsider.execute("BEGIN IMMEDIATE")
    #expect(try await create(service).status == 503)
    try outsider.execute("ROLLBACK")

    try outsider.execute(
      """
      CREATE TRIGGER boom BEFORE INSERT ON idempotency_keys
      BEGIN SELECT RAISE(ABORT, 'internal words'); END
      """)
    #expect(try await create(service).status == 500)
    try outsider.execute("DROP TRIGGER boom")
    // The record and the conversation are one transaction.
    #expect(try counts(service) == [0, 0])

    let created = try await create(service, json: #"{"metadata":{"another":"body"}}"#)
    #expect(created.status == 200)
    #expect(created.headers["idempotent-replayed"] == nil)
  }

  @Test func `after a DELETE the key is free, and nothing of the answer is left`() async throws {
    let service = try Service(.inProcess)
    let first = try await create(service)
    #expect(try await service.send("DELETE", first.path).status == 200)
    #expect(try counts(service) == [0, 0])
    let second = try await create(service, json: #"{"metadata":{"another":"body"}}"#)
    #expect(second.status == 200)
    #expect(second.headers["idempotent-replayed"] == nil)
    #expect(second.id != first.id)

    try service.outsider().execute("DELETE FROM conversations")
    let third = try await create(service)
    #expect(third.status == 200)
    #expect(third.headers["idempotent-replayed"] == nil)
    #expect(try counts(service) == [1, 1])
  }

  @Test(arguments: [(86_400, 86_399, 86_400), (10, 9, 10), (10, -1_000_000, 11)])
  func `a key is remembered for as long as the setting says`(
    retention: Int, known: Int64, forgotten: Int64
  ) async throws {
    let clock = TestClock()
    let start = clock.seconds
    let service = try Service(
      .inProcess, settings: .init(idempotencySeconds: retention), now: { clock.seconds })
    let first = try await create(service)
    clock.seconds = start + known
    expectReplay(try await create(service), of: first)
    #expect(
      try await create(service, json: "{}").errorCode == "idempotency_key_reused")

    clock.seconds = start + forgotten
    let second = try await create(service, json: "{}")
    #expect(second.status == 200)
    #expect(second.id != first.id)
    #expect(second.headers["idempotent-replayed"] == nil)
    // The new request has taken the place of the old one, and its time counts.
    clock.seconds += Int64(retention) - 1
    expectReplay(try await create(service, json: "{}"), of: second)
    #expect(try counts(service) == [2, 1])
  }

  @Test func `old keys go away by themselves, and the conversations stay`() async throws {
    let clock = TestClock()
    let service = try Service(
      .inProcess, settings: .init(idempotencySeconds: 100), now: { clock.seconds })
    // More than are forgotten at a time.
    for number in 0..<250 { _ = try await create(service, key: "old-\(number)") }
    clock.seconds += 50
    let young = try await create(service, key: "young")
    clock.seconds += 50
    try await service.repository.forgetOldIdempotencyKeys()
    #expect(try counts(service) == [251, 1])
    expectReplay(try await create(service, key: "young"), of: young)
  }
}
