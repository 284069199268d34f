import Conversations
import Repository
import SQLite
import Synchronization
import TestSupport
import Testing

@testable import SQLiteStore

/// Items against a list in memory, and what their statements cost.
@Suite struct ItemTests {
  private func item(_ text: String) -> AddedItem {
    var random = SystemRandomNumberGenerator()
    return .item(
      Item(
        id: ItemID(of: .message, at: 0, using: &random), type: "message",
        fields: Array(#"{"text":"\#(text)"}"#.utf8)))
  }

  /// Pages of a walk, in the order of the walk.
  private func walk(
    _ repository: SQLiteStore, _ id: ConversationID, _ order: ConversationQuery.Order, limit: Int
  ) async throws -> [ItemID] {
    var found: [ItemID] = []
    var query = ItemQuery()
    query.limit = limit
    query.order = order
    while true {
      let page = try await repository.items(query, of: id, in: .default)
      found += page.items.map(\.id)
      guard page.hasMore else { return found }
      query.after = page.items.last?.id.description
    }
  }

  @Test(arguments: 1...3)
  func `random appends and deletes leave what a list would`(seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed)
    let test = try TestRepository(settings: .init(synchronous: .normal))
    let id = try await test.create().id
    let other = try await test.create().id
    var expected: [ItemID] = []
    for step in 0..<60 {
      // Another conversation's items, between this one's.
      _ = try await test.repository.appendItems([item("x")], to: other, in: .default, once: nil)
      if Int.random(in: 0..<4, using: &random) == 0,
        let gone = expected.randomElement(using: &random)
      {
        let left = try await test.repository.deleteItem(gone.description, of: id, in: .default)
        #expect(left.id == id)
        expected.removeAll { $0 == gone }
      } else {
        let added = (0..<Int.random(in: 1...5, using: &random)).map { item("\(step) \($0)") }
        let stored = try await test.repository.appendItems(added, to: id, in: .default, once: nil)
        expected += stored.items.map(\.id)
      }
    }
    for limit in [1, 7, 100] {
      #expect(try await walk(test.repository, id, .ascending, limit: limit) == expected)
      #expect(
        try await walk(test.repository, id, .descending, limit: limit) == expected.reversed())
    }
    await test.repository.close()
  }

  /// What waits while an outsider holds the lock is put into groups of 4 MiB.
  @Test func `a group ends before its items pass 4 MiB, and one that passes by itself is alone`()
    async throws
  {
    let sizes = Mutex<[Int]>([])
    let folder = TemporaryFolder()
    let path = folder.file("conversations.db")
    let repository = try SQLiteStore(
      path: path, settings: .init(synchronous: .normal, busyTimeoutMilliseconds: 60_000),
      whenGroupEnded: { group in sizes.withLock { $0.append(group.waits.count) } })
    let id = try await repository.createConversation(metadata: .empty, in: .default).id
    let outsider = try Connection(path: path, mode: .readWrite, busyTimeoutMilliseconds: 5000)
    try outsider.execute("BEGIN IMMEDIATE")
    // In mebibytes, less a little, so that two of 2 fit into 4; what is no append is 0.
    let writes = [0, 2, 1, 0, 2, 2, 0, 5, 0, 4].map { mebibytes in
      mebibytes == 0 ? nil : item(String(repeating: "x", count: mebibytes << 20 - 100))
    }
    try await withThrowingTaskGroup { group in
      group.addTask {
        _ = try await repository.createConversation(metadata: .empty, in: .default)
      }
      try await waitUntil { repository.writes.counts == (1, 0) }
      for (place, added) in writes.enumerated() {
        group.addTask {
          if let added {
            _ = try await repository.appendItems([added], to: id, in: .default, once: nil)
          } else {
            _ = try await repository.changeMetadata(
              of: id, in: .default, by: .replace(with: .empty))
          }
        }
        // In this order.
        try await waitUntil { repository.writes.counts.waiting == place + 1 }
      }
      try outsider.execute("ROLLBACK")
      try await group.waitForAll()
    }
    await repository.close()
    #expect(sizes.withLock { $0 } == [1, 1, 4, 3, 1, 2])
  }

  @Test(arguments: [
    "SELECT id FROM items INDEXED BY items_by_conversation WHERE conversation = 1 "
      + "AND number BETWEEN 5 AND 9 ORDER BY number DESC",
    "SELECT id FROM items INDEXED BY items_by_id WHERE project = 1 AND id = 'a' "
      + "ORDER BY conversation DESC LIMIT 1",
  ])
  func `an index answers in order, without a sort`(sql: String) throws {
    let test = try TestRepository()
    let outsider = try test.outsider()
    let plan = try outsider.prepare("EXPLAIN QUERY PLAN \(sql)")
    var lines: [String] = []
    while try plan.step() { lines.append(plan.repairedText(3)) }
    #expect(lines.count == 1)
    #expect(lines[0].hasPrefix("SEARCH items USING"))
  }
}
