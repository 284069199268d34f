import Conversations
import Repository
import TestSupport
import Testing

@Suite struct IdempotencyTests {
  /// Creates a conversation once; what is answered holds its id and its pairs.
  private func create(
    _ store: any Store, _ key: String, request: String = "{}",
    _ pairs: KeyValuePairs<String, String> = ["a": "1"], items: [AddedItem] = [],
    in project: ProjectID = .default
  ) async throws -> StoredResponse {
    let key = try #require(IdempotencyKey(key, request: Array(request.utf8)))
    return try await store.createConversation(
      metadata: metadata(pairs), items: items, in: project, once: key
    ) { "\($0.id) \($0.metadata.pairs.map { "\($0.key)=\($0.value)" }) \"é😀\"\n" }
  }

  @Test(arguments: Engine.allCases)
  func `a repeat gets the first answer, whatever has changed, and creates nothing`(
    engine: Engine
  ) async throws {
    let test = try TestStore(engine)
    let first = try await create(test.store, "k")
    #expect(!first.isReplay)
    let id = try #require(ConversationID(String(first.text.prefix(53))))
    let created = try await test.store.conversation(id)
    #expect(first.contentHash == created.contentHash)
    try await test.replace(id, ["b": "2"])

    let reopened = try await test.reopened()
    for _ in 0..<2 {
      let again = try await create(reopened, "k")
      #expect(again.isReplay)
      #expect(again.text.utf8.elementsEqual(first.text.utf8))
      #expect(again.contentHash == first.contentHash)
    }
    #expect(
      try await reopened.count(of: ConversationQuery(), upTo: 9, in: .default).value == 1)
    await reopened.close()
  }

  @Test(arguments: Engine.allCases)
  func `another request under the same key is refused`(engine: Engine) async throws {
    let test = try TestStore(engine)
    _ = try await create(test.store, "k", request: "{}")
    for request in ["{ }", ""] {
      #expect(
        await repositoryError { _ = try await create(test.store, "k", request: request) }
          == .idempotencyKeyReused)
    }
    #expect(try await test.count() == 1)
    #expect(try await create(test.store, "k", request: "{}").isReplay)
  }

  @Test(arguments: Engine.allCases)
  func `keys that differ, and those of another project, are others`(engine: Engine) async throws {
    let test = try TestStore(engine)
    let key = try test.database.makeKey(project: "other")
    let other = try #require(try await test.store.access(key)).project
    let answers = [
      try await create(test.store, "k"), try await create(test.store, "K"),
      try await create(test.store, "k", request: "other", in: other),
    ]
    #expect(Set(answers.map(\.text)).count == 3)
    #expect(!answers.contains { $0.isReplay })
    #expect(try await test.count() == 2)
  }

  @Test(arguments: Engine.allCases)
  func `a request that failed does not burn its key`(engine: Engine) async throws {
    let test = try TestStore(engine)
    #expect(
      await repositoryError {
        _ = try await create(test.store, "k", items: [.reference(id: "none")])
      } == .item(.referenceNotFound(id: "none")))
    #expect(try await !create(test.store, "k", request: "other").isReplay)
    #expect(try await test.count() == 1)
  }

  @Test(arguments: Engine.allCases)
  func `of many identical requests at the same time one creates`(engine: Engine) async throws {
    let test = try TestStore(engine)
    let answers = try await withThrowingTaskGroup { group in
      for _ in 0..<50 { group.addTask { try await create(test.store, "k") } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(answers.count { !$0.isReplay } == 1)
    #expect(Set(answers.map(\.text)).count == 1)
    #expect(try await test.count() == 1)
  }

  @Test(arguments: Engine.allCases, [true, false])
  func `a key is remembered for its time, whether it was swept or not`(
    engine: Engine, isSwept: Bool
  ) async throws {
    let clock = TestClock(5000)
    var settings = StoreSettings()
    settings.idempotencySeconds = 100
    let test = try TestStore(engine, settings: settings, now: { clock.seconds })
    var texts = Set<String>()
    // From the second on at which a key is forgotten, it is good for another request.
    for (time, request) in [(5000, "1"), (5099, "1"), (5100, "2"), (5199, "2"), (5200, "3")] {
      clock.seconds = Int64(time)
      if isSwept { try await test.store.forgetOldIdempotencyKeys() }
      let answer = try await create(test.store, "k", request: request)
      #expect(answer.isReplay == !texts.insert(answer.text).inserted)
    }
    #expect(texts.count == 3)
    #expect(try await test.count() == 3)
  }

  @Test(arguments: Engine.allCases)
  func `a key goes with its conversation`(engine: Engine) async throws {
    let test = try TestStore(engine)
    let first = try await create(test.store, "k")
    let other = try await create(test.store, "other")
    let id = try #require(ConversationID(String(first.text.prefix(53))))
    try await test.store.deleteConversation(id, in: .default)
    let next = try await create(test.store, "k", request: "other")
    #expect(!next.isReplay)
    #expect(next.text != first.text)
    #expect(try await create(test.store, "other").text == other.text)
  }
}
