import Conversations
import Repository
import SQLite
import SQLiteStore
import Synchronization
import TestSupport
import Testing

@Suite struct IdempotencyTests {
  /// Creates a conversation once; what is answered holds its id and its pairs.
  private func create(
    _ repository: SQLiteStore, _ key: String, request: String = "{}",
    _ pairs: KeyValuePairs<String, String> = ["a": "1"], in project: ProjectID = .default
  ) async throws -> StoredResponse {
    let key = try #require(IdempotencyKey(key, request: Array(request.utf8)))
    return try await repository.createConversation(
      metadata: metadata(pairs), in: project, once: key
    ) { "\($0.id) \($0.metadata.pairs.map { "\($0.key)=\($0.value)" }) \"é😀\"\n" }
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

  @Test(arguments: [true, false])
  func `a key that is used again has one row, whether the old was swept or not`(isSwept: Bool)
    async throws
  {
    let clock = Mutex<Int64>(5000)
    let test = try TestRepository(
      settings: .init(idempotencySeconds: 100), now: { clock.withLock { $0 } })
    // From the second on at which a key is forgotten, it is good for another request.
    for (time, request) in [(5000, "1"), (5099, "1"), (5100, "2"), (5199, "2"), (5200, "3")] {
      clock.withLock { $0 = Int64(time) }
      if isSwept { try await test.repository.forgetOldIdempotencyKeys() }
      _ = try await create(test.repository, "k", request: request)
      #expect(try test.count("idempotency_keys") == 1)
    }
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
