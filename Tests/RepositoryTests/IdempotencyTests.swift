import Conversations
import Repository
import SQLite
import Synchronization
import Testing

@Suite struct IdempotencyTests {
  /// Creates a conversation once; what is answered holds its id and its pairs.
  private func create(
    _ repository: Repository, _ key: String, request: String = "{}",
    _ pairs: KeyValuePairs<String, String> = ["a": "1"], in project: ProjectID = .default
  ) async throws -> StoredResponse {
    let key = try #require(IdempotencyKey(key, request: Array(request.utf8)))
    return try await repository.createConversation(
      metadata: metadata(pairs), in: project, once: key
    ) { "\($0.id) \($0.metadata.pairs.map { "\($0.key)=\($0.value)" }) \"é😀\"\n" }
  }

  @Test func `a repeat gets the first answer, whatever has changed, and creates nothing`()
    async throws
  {
    let test = try TestRepository()
    let first = try await create(test.repository, "k")
    #expect(!first.isReplay)
    let id = try #require(ConversationID(String(first.text.prefix(53))))
    let created = try test.repository.conversation(id, in: .default)
    #expect(first.contentHash == created.contentHash)
    try await test.replace(id, ["b": "2"])

    let reopened = try await test.reopened(now: Repository.unixSeconds)
    for _ in 0..<2 {
      let again = try await create(reopened, "k")
      #expect(again.isReplay)
      #expect(again.text.utf8.elementsEqual(first.text.utf8))
      #expect(again.contentHash == first.contentHash)
    }
    #expect(try test.count("conversations") == 1)
  }

  @Test func `another request under the same key is refused`() async throws {
    let test = try TestRepository()
    _ = try await create(test.repository, "k", request: "{}")
    for request in ["{ }", ""] {
      #expect(
        await repositoryError { _ = try await create(test.repository, "k", request: request) }
          == .idempotencyKeyReused)
    }
    #expect(try test.count("conversations") == 1)
    #expect(try await create(test.repository, "k", request: "{}").isReplay)
  }

  @Test func `keys that differ, and those of another project, are others`() async throws {
    let test = try TestRepository()
    try test.execute("INSERT INTO projects (number, name) VALUES (2, 'other')")
    let answers = [
      try await create(test.repository, "k"), try await create(test.repository, "K"),
      try await create(test.repository, "k", request: "other", in: ProjectID(number: 2)),
    ]
    #expect(Set(answers.map(\.text)).count == 3)
    #expect(!answers.contains { $0.isReplay })
    #expect(try test.count("conversations") == 3)
  }

  @Test func `a request that failed does not burn its key`() async throws {
    let test = try TestRepository()
    try test.execute(
      """
      CREATE TRIGGER boom AFTER INSERT ON metadata WHEN NEW.key = 'boom'
      BEGIN SELECT RAISE(ABORT, 'boom'); END
      """)
    #expect(
      await repositoryError { _ = try await create(test.repository, "k", ["boom": ""]) } != nil)
    #expect(try test.count("idempotency_keys") == 0)
    #expect(try await !create(test.repository, "k", request: "other").isReplay)
    #expect(try test.count("conversations") == 1)
  }

  @Test func `of many identical requests at the same time one creates`() async throws {
    let test = try TestRepository()
    let answers = try await withThrowingTaskGroup { group in
      for _ in 0..<50 { group.addTask { try await create(test.repository, "k") } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(answers.count { !$0.isReplay } == 1)
    #expect(Set(answers.map(\.text)).count == 1)
    #expect(try test.count("conversations") == 1)
  }

  @Test(arguments: [true, false])
  func `a key is remembered for its time, whether it was swept or not`(isSwept: Bool) async throws {
    let clock = Mutex<Int64>(5000)
    let test = try TestRepository(
      settings: .init(idempotencySeconds: 100), now: { clock.withLock { $0 } })
    var texts = Set<String>()
    // From the second on at which a key is forgotten, it is good for another request.
    for (time, request) in [(5000, "1"), (5099, "1"), (5100, "2"), (5199, "2"), (5200, "3")] {
      clock.withLock { $0 = Int64(time) }
      if isSwept { try await test.repository.forgetOldIdempotencyKeys() }
      let answer = try await create(test.repository, "k", request: request)
      #expect(answer.isReplay == !texts.insert(answer.text).inserted)
      #expect(try test.count("idempotency_keys") == 1)
    }
    #expect(texts.count == 3)
    #expect(try test.count("conversations") == 3)
  }

  /// As the sqlite3 CLI has it: foreign keys off.
  @Test(arguments: [true, false])
  func `a key goes with its conversation`(isOutside: Bool) async throws {
    let test = try TestRepository()
    let first = try await create(test.repository, "k")
    _ = try await create(test.repository, "other")
    let id = try #require(ConversationID(String(first.text.prefix(53))))
    if isOutside {
      try test.execute("DELETE FROM conversations WHERE id = '\(id)'")
    } else {
      try await test.repository.deleteConversation(id, in: .default)
    }
    #expect(try test.count("idempotency_keys") == 1)
    let next = try await create(test.repository, "k", request: "other")
    #expect(!next.isReplay)
    #expect(next.text != first.text)
  }
}
