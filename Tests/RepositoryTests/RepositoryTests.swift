import Conversations
import Foundation
import Repository
import SQLite
import Synchronization
import TestSupport
import Testing

@Suite struct RepositoryTests {
  @Test func `a conversation comes back as it was stored`() async throws {
    let test = try TestRepository()
    let longKey = String(repeating: "😀", count: 64)
    let odd = try metadata([
      "": "", "\u{E9}": "composed", "e\u{301}": "decomposed", "quote\"\\": "a\nb\u{1}",
      "\u{FFFF}": "\u{10FFFF}", longKey: String(repeating: "😀", count: 512),
    ])

    let created = try await test.repository.createConversation(metadata: odd, in: .default)

    #expect(created.metadata == odd)
    #expect(try test.repository.conversation(created.id, in: .default) == created)
    let keys = created.metadata.pairs.map { Array($0.key.utf8) }
    let sorted = ["", "e\u{301}", "quote\"\\", "\u{E9}", "\u{FFFF}", longKey]
    #expect(keys == sorted.map { Array($0.utf8) })
  }

  @Test func `an update leaves exactly the set that was sent`() async throws {
    let test = try TestRepository()
    var random = SystemRandomNumberGenerator()
    let conversation = try await test.create(["a": "1"])
    for _ in 0..<200 {
      let keys = (0..<20).map { "k\($0)" }.shuffled(using: &random)
        .prefix(Int.random(in: 0...16, using: &random))
      let sent = try Metadata(
        keys.map {
          try Metadata.Pair(key: $0, value: "\(Int.random(in: 0...2, using: &random))")
        })
      let answered = try await test.repository.changeMetadata(
        of: conversation.id, in: .default, by: .replace(with: sent))
      #expect(answered.metadata == sent)
      #expect(try test.read(conversation.id) == sent)
    }
    #expect(try test.count("conversations") == 1)
  }

  @Test func `a full set can be replaced by another full set`() async throws {
    let test = try TestRepository()
    let conversation = try await test.create()
    for prefix in ["a", "b"] {
      let full = try Metadata((0..<16).map { try Metadata.Pair(key: "\(prefix)\($0)", value: "") })
      _ = try await test.repository.changeMetadata(
        of: conversation.id, in: .default, by: .replace(with: full))
      #expect(try test.read(conversation.id) == full)
    }
  }

  @Test func `a deleted conversation is gone with its pairs`() async throws {
    let test = try TestRepository()
    let other = try await test.create(["b": "2"])
    let conversation = try await test.create(["a": "1"])

    try await test.repository.deleteConversation(conversation.id, in: .default)

    #expect(await repositoryError { _ = try test.read(conversation.id) } == .conversationNotFound)
    #expect(
      await repositoryError {
        try await test.repository.deleteConversation(conversation.id, in: .default)
      } == .conversationNotFound)
    #expect(
      await repositoryError { try await test.replace(conversation.id, [:]) }
        == .conversationNotFound)
    #expect(try test.count("metadata") == 1)
    #expect(try test.read(other.id) == other.metadata)
  }

  @Test func `another project's conversations do not exist`() async throws {
    let test = try TestRepository()
    try test.execute("INSERT INTO projects (number, name) VALUES (2, 'other')")
    let other = ProjectID(number: 2)
    let mine = try await test.create(["a": "1"])
    let theirs = try await test.repository.createConversation(
      metadata: metadata(["a": "2"]), in: other)

    #expect(try test.repository.conversation(theirs.id, in: other) == theirs)
    for (id, project) in [(mine.id, other), (theirs.id, ProjectID.default)] {
      #expect(
        await repositoryError { _ = try test.repository.conversation(id, in: project) }
          == .conversationNotFound)
      #expect(
        await repositoryError {
          _ = try await test.repository.changeMetadata(
            of: id, in: project, by: .replace(with: .empty))
        } == .conversationNotFound)
      #expect(
        await repositoryError {
          try await test.repository.deleteConversation(id, in: project)
        } == .conversationNotFound)
    }
    #expect(try test.count("metadata") == 2)
  }

  @Test func `ids sort by creation when the clock stands, goes back, and after a restart`()
    async throws
  {
    let clock = Mutex<Int64>(2_000_000)
    let test = try TestRepository(now: { clock.withLock { $0 } })
    var ids: [ConversationID] = []
    for time: Int64 in [2_000_000, 2_000_000, 2_000_001, 1_000_000, 2_000_001] {
      clock.withLock { $0 = time }
      ids.append(try await test.create().id)
    }
    let reopened = try await test.reopened(now: { 5 })
    ids.append(try await reopened.createConversation(metadata: .empty, in: .default).id)

    #expect(ids == ids.sorted())
    #expect(Set(ids).count == ids.count)
    #expect(
      ids.map(\.createdAt)
        == [2_000_000, 2_000_000, 2_000_001, 2_000_001, 2_000_001, 2_000_001])
  }

  @Test func `a row that is not UTF-8 is an error of its conversation alone`() async throws {
    let test = try TestRepository()
    let broken = try await test.create(["a": "1", "b": "2"])
    let sound = try await test.create(["a": "1"])
    try test.execute(
      """
      UPDATE metadata SET value = CAST(x'ff' AS TEXT)
      WHERE key = 'b' AND conversation =
        (SELECT number FROM conversations WHERE id = '\(broken.id)')
      """)

    #expect(
      await repositoryError { _ = try test.read(broken.id) } == .unreadableConversation(broken.id))
    #expect(try test.read(sound.id) == sound.metadata)

    try await test.replace(broken.id, ["c": "3"])
    #expect(try test.read(broken.id) == metadata(["c": "3"]))
    #expect(try test.count("metadata") == 2)
  }

  @Test func `a file is served once at a time, and again after it is closed`() async throws {
    let test = try TestRepository()
    let conversation = try await test.create(["a": "1"])
    #expect(throws: DatabaseError.inUse) { try Repository(path: test.path) }
    let reopened = try await test.reopened(now: Repository.unixSeconds)
    #expect(try reopened.conversation(conversation.id, in: .default) == conversation)
    #expect(
      await repositoryError { try await test.replace(conversation.id, [:]) }
        == .unavailable(.closed))
  }

  @Test func `the file and its log are for their owner alone`() async throws {
    let test = try TestRepository()
    try await test.create()
    for suffix in ["", "-wal", "-shm"] {
      let attributes = try FileManager.default.attributesOfItem(atPath: test.path + suffix)
      #expect((attributes[.posixPermissions] as? Int) == 0o600)
    }
    await test.repository.close()
    #expect(try FileManager.default.contentsOfDirectory(atPath: test.folder.path).count == 1)
  }
}
