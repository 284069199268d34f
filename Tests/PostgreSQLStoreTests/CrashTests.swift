import Conversations
import Foundation
import PostgreSQL
import Repository
import Synchronization
import TestSupport
import Testing

@testable import PostgreSQLStore

/// A server that is killed under load: whatever was answered is there afterwards.
@Suite struct CrashTests {
  /// `CONVERSATIOND_KILLS` asks for more.
  private static let rounds =
    ProcessInfo.processInfo.environment["CONVERSATIOND_KILLS"].flatMap { Int($0) } ?? 4

  /// Clients that append to conversations, a client each, until it is over.
  private final class Load: Sendable {
    private let store: PostgreSQLStore
    private let conversations: [ConversationID]
    let isOver = Atomic(false)
    let answered: Mutex<[Int]>
    let unexpected = Mutex<[RepositoryError]>([])

    init(_ store: PostgreSQLStore, _ conversations: [ConversationID]) {
      self.store = store
      self.conversations = conversations
      answered = Mutex(Array(repeating: 0, count: conversations.count))
    }

    func run() async {
      await withTaskGroup(of: Void.self) { tasks in
        for index in conversations.indices { tasks.addTask { await self.append(to: index) } }
      }
    }

    private func append(to index: Int) async {
      var n = 0
      while !isOver.load(ordering: .relaxed) {
        n += 1
        let added = item("msg_\(n)")
        let error = await repositoryError {
          _ = try await store.appendItems(
            [added], to: conversations[index], in: .default, once: nil)
        }
        switch error {
        case nil: answered.withLock { $0[index] += 1 }
        case .unavailable, .commitUnknown: try? await Task.sleep(for: .milliseconds(5))
        case let error?: unexpected.withLock { $0.append(error) }
        }
      }
    }
  }

  @Test func `nothing that was answered is lost when the server is killed`() async throws {
    let cluster = try PostgreSQLCluster()
    let url = try cluster.databaseURL(cluster.makeDatabase())
    let store = try PostgreSQLStore(url: url, settings: .init(readLanes: 1, queryLanes: 1))
    var conversations: [ConversationID] = []
    for _ in 0..<4 { conversations.append(try await store.create(["n": "0"]).id) }
    let load = Load(store, conversations)
    async let writers: Void = load.run()
    for _ in 0..<Self.rounds {
      try await Task.sleep(for: .milliseconds(Int.random(in: 20...120)))
      try await onOwnThread {
        cluster.kill()
        try cluster.start()
      }
    }
    load.isOver.store(true, ordering: .relaxed)
    await writers
    #expect(load.unexpected.withLock { $0 } == [])
    for (index, id) in conversations.enumerated() {
      var query = ItemQuery()
      query.limit = 100
      query.order = .ascending
      var stored = 0
      repeat {
        let page = try await store.items(query, of: id, in: .default)
        stored += page.items.count
        query.after = page.hasMore ? page.items.last?.id.description : nil
      } while query.after != nil
      #expect(stored >= load.answered.withLock { $0[index] })
    }
    #expect(load.answered.withLock { $0.reduce(0, +) } > 0)
    await store.close()
    #expect(try PostgreSQLStore.check(url: url).findings.isEmpty)
  }

  @Test func `readiness follows the server`() async throws {
    let cluster = try PostgreSQLCluster()
    let url = try cluster.databaseURL(cluster.makeDatabase())
    let store = try PostgreSQLStore(url: url)
    try await store.create()
    #expect(await repositoryError { try store.checkReadiness() } == nil)
    cluster.kill()
    var isReady = true
    let deadline = ContinuousClock.now + .seconds(30)
    while isReady, .now < deadline {
      isReady = await repositoryError { try store.checkReadiness() } == nil
      try await Task.sleep(for: .milliseconds(20))
    }
    #expect(!isReady)
    try await onOwnThread { try cluster.start() }
    while !isReady, .now < deadline {
      isReady = await repositoryError { try store.checkReadiness() } == nil
      try await Task.sleep(for: .milliseconds(20))
    }
    #expect(isReady)
    await store.close()
  }
}
