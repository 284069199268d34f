import Conversations
import Repository
import SQLite
import Testing

@testable import SQLiteStore

/// How much SQLite does for a page of items, at each place of a conversation of 100,000, counted by SQLite
/// itself.
@Suite struct ItemWorkTests {
  private static let (few, many) = (100, 100_000)

  /// The conversation of second 1 has few items, that of second 2 many; they alternate as long as there
  /// are few.
  private static let file = Result {
    let file = try SampleFile()
    try file.execute(
      SampleFile.conversations(1...2)
        + """
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(many))
        INSERT INTO items (conversation, id, type, created_at, fields)
        SELECT c.column1, 'i' || i, 'message', 1, '{"text":"a"}'
        FROM n JOIN (VALUES (1), (2)) AS c ON c.column1 = 2 OR i <= \(few) ORDER BY i;
        """)
    return file
  }

  private func work(
    _ second: Int, _ change: (inout ItemQuery) -> Void
  ) throws -> (ids: [String], work: StatementWork) {
    let reader = try Self.file.get().reader()
    var query = ItemQuery()
    change(&query)
    let page = try reader.items(query, of: SampleFile.id(second), in: .default) { false }
    return (page.items.ids, reader.itemPages.work)
  }

  @Test(arguments: ConversationQuery.Order.allCases)
  func `a page costs the same at every place of 100,000 items as in 100`(
    order: ConversationQuery.Order
  ) throws {
    let small = try work(1) { $0.order = order }
    #expect(small.ids.count == 20)
    for place in [1, 2, 50, 1000, 50_000, 99_000, 99_950, 99_979] {
      for isAfter in [true, false] {
        let cursor = order == .ascending ? place : Self.many + 1 - place
        let expected = (1...20).map { cursor + $0 * (order == .ascending ? 1 : -1) }
        let large = try work(2) { query in
          query.order = order
          if isAfter {
            query.after = "i\(cursor)"
          } else {
            query.before = "i\(cursor + 21 * (order == .ascending ? 1 : -1))"
          }
        }
        if place <= Self.many - 21 || isAfter {
          #expect(large.ids == expected.map { "i\($0)" })
        }
        // The look-up of the cursor is more than the page without one.
        #expect(large.work.instructions <= small.work.instructions + 40)
        #expect(large.work.fullScanSteps == 0 && large.work.sorts == 0)
      }
    }
  }

  @Test func `the first page costs the same, too`() throws {
    for order in ConversationQuery.Order.allCases {
      let small = try work(1) { $0.order = order }
      let large = try work(2) { $0.order = order }
      #expect(abs(large.work.instructions - small.work.instructions) <= 5)
    }
  }
}
