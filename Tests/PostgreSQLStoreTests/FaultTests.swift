import Conversations
import PostgreSQL
import Repository
import Synchronization
import TestSupport
import Testing

@testable import PostgreSQLStore

/// A wire that is cut at each message of a write group, in both directions: each write is there once,
/// and its answer is true.
@Suite struct FaultTests {
  @Test(
    arguments: PostgreSQLProxy.Sender.allCases.flatMap { sender in
      [true, false].map { (sender, $0) }
    })
  func `what was cut off is stored once`(
    sender: PostgreSQLProxy.Sender, isForwarded: Bool
  ) async throws {
    let database = try TestDatabase()
    let proxy = try PostgreSQLProxy(to: database.cluster.socketPath)
    defer { proxy.end() }
    let url = try database.cluster.databaseURL(database.name, host: proxy.folder)
    var settings = PostgreSQLStore.Settings(readLanes: 1, writeLanes: 1, queryLanes: 1)
    settings.shared.metadataHistoryDays = 1
    let store = try PostgreSQLStore(url: url, settings: settings)
    let id = try await store.create().id
    let doomed = try await store.create(["doomed": "yes"]).id
    var round = 0
    var wasCut = true
    while wasCut {
      proxy.arm(.init(sender, message: round, isForwarded: isForwarded))
      try await write(round, to: id, on: store)
      wasCut = !proxy.disarm()
      round += 1
    }
    try await store.deleteConversation(doomed, in: .default)
    await store.close()
    // What a group of four requests is: two round trips of a dozen statements.
    #expect(round > 30)
    #expect(try database.findings().isEmpty)
    let count = Int64(round)
    #expect(try database.number("SELECT count(*) FROM idempotency_keys") == count)
    #expect(try database.number("SELECT count(*) FROM items") == count)
    #expect(try database.number("SELECT count(*) FROM metadata_history") == count)
    #expect(try database.number("SELECT last_position FROM conversations ORDER BY 1 DESC") == count)
    let pairs = "SELECT count(*) FROM pairs WHERE key = 'round' AND value = '\(round - 1)'"
    #expect(try database.number(pairs) == 2)
  }

  /// Four requests at once: an update, an append, a creation and one that repeats the creation.
  private func write(
    _ round: Int, to id: ConversationID, on store: PostgreSQLStore
  ) async throws {
    let key = IdempotencyKey("key-\(round)", request: [1])!
    let pairs = try metadata(["round": "\(round)"])
    async let changed = store.changeMetadata(of: id, in: .default, by: .replace(with: pairs))
    async let appended = store.appendItems(
      [item("msg_\(round)")], to: id, in: .default, once: nil)
    async let created = store.createConversation(
      metadata: pairs, items: [], in: .default, once: key
    ) { $0.id.description }
    #expect(try await changed.metadata == pairs)
    #expect(try await !appended.isReplay)
    let answer = try await created
    #expect(!answer.isReplay)
    let again = try await store.createConversation(
      metadata: pairs, items: [], in: .default, once: key
    ) { _ in "" }
    #expect(again.isReplay && again.text == answer.text)
    #expect(try await store.read(id) == pairs)
  }

  @Test func `look-ups and queries outlive a cut`() async throws {
    let database = try TestDatabase()
    let proxy = try PostgreSQLProxy(to: database.cluster.socketPath)
    defer { proxy.end() }
    let url = try database.cluster.databaseURL(database.name, host: proxy.folder)
    let store = try PostgreSQLStore(url: url, settings: .init(readLanes: 1, writeLanes: 1))
    let id = try await store.create(["a": "1"]).id
    for message in 0..<4 {
      proxy.arm(.init(.server, message: message, isForwarded: false))
      #expect(try await store.read(id) == metadata(["a": "1"]))
      _ = proxy.disarm()
    }
    #expect(store.counters.reconnects.load(ordering: .relaxed) > 0)
    await store.close()
  }

  @Test func `a commit whose end stays unknown is told so, and the store goes on`() async throws {
    let database = try TestDatabase()
    let proxy = try PostgreSQLProxy(to: database.cluster.socketPath)
    let url = try database.cluster.databaseURL(database.name, host: proxy.folder)
    let store = try PostgreSQLStore(
      url: url, settings: .init(readLanes: 1, writeLanes: 1), fencing: .milliseconds(300))
    let id = try await store.create().id
    // The lane's session is cut with the last message of the second round trip, its Sync.
    proxy.arm(.init(.client, message: Self.messagesOfUpdate - 1, isForwarded: true))
    proxy.refuseConnections()
    let error = await repositoryError {
      _ = try await store.changeMetadata(
        of: id, in: .default, by: .replace(with: metadata(["a": "1"])))
    }
    guard case .commitUnknown = error else {
      Issue.record("not unknown: \(String(describing: error))")
      return
    }
    #expect(!store.isStopped)
    proxy.acceptConnections()
    _ = try await store.changeMetadata(
      of: id, in: .default, by: .replace(with: metadata(["b": "2"])))
    #expect(try database.number("SELECT count(*) FROM pairs WHERE key = 'b'") == 1)
    await store.close()
    proxy.end()
  }

  /// BEGIN, the lane, the lock, Sync; then pairs, keys, the update, the lane, COMMIT, Sync. A statement
  /// is Bind, Describe, Execute.
  private static let messagesOfUpdate = 3 * 3 + 1 + 5 * 3 + 1
}
