import Conversations
import Repository
import TestSupport
import Testing

@Suite struct ConversationTests {
  @Test(arguments: Engine.allCases)
  func `a conversation comes back as it was stored`(engine: Engine) async throws {
    let test = try TestStore(engine)
    let longKey = String(repeating: "😀", count: 64)
    let odd = try metadata([
      "": "", "\u{E9}": "composed", "e\u{301}": "decomposed", "quote\"\\": "a\nb\u{1}",
      "\u{FFFF}": "\u{10FFFF}", longKey: String(repeating: "😀", count: 512),
    ])

    let created = try await test.store.createConversation(metadata: odd, in: .default)

    #expect(created.metadata == odd)
    #expect(try await test.store.conversation(created.id) == created)
    let keys = created.metadata.pairs.map { Array($0.key.utf8) }
    let sorted = ["", "e\u{301}", "quote\"\\", "\u{E9}", "\u{FFFF}", longKey]
    #expect(keys == sorted.map { Array($0.utf8) })
  }

  @Test(arguments: Engine.allCases)
  func `an update leaves exactly the set that was sent`(engine: Engine) async throws {
    let test = try TestStore(engine)
    var random = SystemRandomNumberGenerator()
    let conversation = try await test.create(["a": "1"])
    for _ in 0..<200 {
      let keys = (0..<20).map { "k\($0)" }.shuffled(using: &random)
        .prefix(Int.random(in: 0...16, using: &random))
      let sent = try Metadata(
        keys.map {
          try Metadata.Pair(key: $0, value: "\(Int.random(in: 0...2, using: &random))")
        })
      let answered = try await test.store.changeMetadata(
        of: conversation.id, in: .default, by: .replace(with: sent))
      #expect(answered.metadata == sent)
      #expect(try await test.read(conversation.id) == sent)
    }
    #expect(try await test.count() == 1)
  }

  @Test(arguments: Engine.allCases)
  func `a full set can be replaced by another full set`(engine: Engine) async throws {
    let test = try TestStore(engine)
    let conversation = try await test.create()
    for prefix in ["a", "b"] {
      let full = try Metadata((0..<16).map { try Metadata.Pair(key: "\(prefix)\($0)", value: "") })
      _ = try await test.store.changeMetadata(
        of: conversation.id, in: .default, by: .replace(with: full))
      #expect(try await test.read(conversation.id) == full)
    }
  }

  @Test(arguments: Engine.allCases)
  func `a deleted conversation is gone`(engine: Engine) async throws {
    let test = try TestStore(engine)
    let other = try await test.create(["b": "2"])
    let conversation = try await test.create(["a": "1"], items: [item("i")])

    try await test.store.deleteConversation(conversation.id, in: .default)

    for access: () async throws -> Void in [
      { _ = try await test.read(conversation.id) },
      { _ = try await test.store.item("i", of: conversation.id) },
      { _ = try await test.store.items(ItemQuery(), of: conversation.id, in: .default) },
      { try await test.store.deleteConversation(conversation.id, in: .default) },
      { try await test.replace(conversation.id, [:]) },
    ] {
      #expect(await repositoryError(access) == .conversationNotFound)
    }
    #expect(try await test.read(other.id) == other.metadata)
    #expect(try await test.count() == 1)
  }

  @Test(arguments: Engine.allCases)
  func `another project's conversations do not exist`(engine: Engine) async throws {
    let test = try TestStore(engine)
    let keys = try ["default", "other"].map { try test.database.makeKey(project: $0) }
    let other = try #require(try await test.store.access(keys[1])).project
    let mine = try await test.create(["a": "1"])
    let theirs = try await test.create(["a": "2"], in: other)

    #expect(try await test.store.conversation(theirs.id, key: keys[1]) == theirs)
    for (id, project, key) in [
      (mine.id, other, keys[1]), (theirs.id, ProjectID.default, keys[0]),
    ] {
      for access: () async throws -> Void in [
        { _ = try await test.store.conversation(id, key: key) },
        {
          _ = try await test.store.changeMetadata(of: id, in: project, by: .replace(with: .empty))
        },
        { try await test.store.deleteConversation(id, in: project) },
        { _ = try await test.store.items(ItemQuery(), of: id, in: project) },
        {
          _ = try await test.store.appendItems([item("i")], to: id, in: project, once: nil)
        },
      ] {
        #expect(await repositoryError(access) == .conversationNotFound)
      }
      #expect(try await test.count(in: project) == 1)
    }
  }

  @Test(arguments: Engine.allCases)
  func `after a restart everything is there, and a closed store says so`(
    engine: Engine
  ) async throws {
    let test = try TestStore(engine)
    let conversation = try await test.create(["a": "1"], items: [item("i")])
    let reopened = try await test.reopened()
    #expect(try await reopened.conversation(conversation.id) == conversation)
    #expect(try await reopened.item("i", of: conversation.id).type == "message")
    #expect(
      await repositoryError { try await test.replace(conversation.id, [:]) }
        == .unavailable(.closed))
    await reopened.close()
  }
}
