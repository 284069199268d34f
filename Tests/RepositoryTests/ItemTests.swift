import Conversations
import Repository
import SQLite
import TestSupport
import Testing

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
    _ repository: Repository, _ id: ConversationID, _ order: ConversationQuery.Order, limit: Int
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

  @Test func `a large append is a group of its own, and a small write does not wait for many`()
    async throws
  {
    let test = try TestRepository(settings: .init(synchronous: .normal))
    let id = try await test.create().id
    let large = String(repeating: "x", count: 3 << 20)
    try await withThrowingTaskGroup { group in
      for _ in 1...4 {
        group.addTask {
          _ = try await test.repository.appendItems(
            [item(large)], to: id, in: .default, once: nil)
        }
      }
      try await group.waitForAll()
    }
    #expect(try test.count("items") == 4)
    await test.repository.close()
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
