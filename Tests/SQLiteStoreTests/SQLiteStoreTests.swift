import Conversations
import Foundation
import Repository
import SQLite
import SQLiteStore
import Synchronization
import TestSupport
import Testing

@Suite struct SQLiteStoreTests {
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
    #expect(throws: DatabaseError.inUse) { try SQLiteStore(path: test.path) }
    let reopened = try await test.reopened(now: UnixTime.seconds)
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
