import Conversations
import Repository
import SQLite
import TestSupport
import Testing

@testable import SQLiteStore

/// What of an append, a page and a copy the contract says (sections 8.4 to 8.7).
@Suite struct ItemRulesTests {
  private static let minted = "msg_" + String(repeating: "0123456789abcdef", count: 3)

  private func fields(_ test: TestRepository, _ id: String, _ of: ConversationID) throws -> String {
    var snapshot = test.repository.snapshot()
    return try String(decoding: snapshot.item(id, of: of, in: .default).fields, as: UTF8.self)
  }

  private func append(
    _ items: [AddedItem], _ id: ConversationID, _ repository: SQLiteStore, once: String? = nil
  ) async throws -> AppendedItems {
    try await repository.appendItems(
      items, to: id, in: .default, once: once.map { IdempotencyKey($0, request: [1])! })
  }

  @Test func `minted ids and references copy, the newest conversation first`() async throws {
    let test = try TestRepository()
    let ids = [try await test.create().id, try await test.create().id, try await test.create().id]
    _ = try await append([item(Self.minted, text: "old"), item("x")], ids[0], test.repository)
    try test.execute(
      """
      INSERT INTO items (conversation, id, type, created_at, fields)
      VALUES (2, '\(Self.minted)', 'message', 1, '{"text":"new"}')
      """)
    let added = try await append(
      [item(Self.minted, text: "ignored"), .reference(id: "x")], ids[2], test.repository)
    #expect(added.items.ids == [Self.minted, "x"])
    #expect(try fields(test, Self.minted, ids[2]) == #"{"text":"new"}"#)
    try await test.repository.deleteConversation(ids[1], in: .default)
    #expect(try fields(test, Self.minted, ids[2]) == #"{"text":"new"}"#)
  }

  @Test func `what is kept of appends goes with the conversation, and when it is old`()
    async throws
  {
    let clock = TestClock(1_000_000)
    let test = try TestRepository(now: { clock.seconds })
    let ids = [try await test.create().id, try await test.create().id]
    for id in ids { _ = try await append([item("a")], id, test.repository, once: "\(id)") }
    try test.execute("DELETE FROM conversations WHERE number = 1")
    #expect(try test.count("append_idempotency_keys") == 1)
    clock.seconds += 90_000
    try await test.repository.forgetOldIdempotencyKeys()
    #expect(try test.count("append_idempotency_keys") == 0)
    try await test.repository.deleteConversation(ids[1], in: .default)
    #expect(try test.count("items") == 0)
  }

  @Test func `a row that cannot be shown is left out of pages, and found by a check`()
    async throws
  {
    let test = try TestRepository()
    let id = try await test.create().id
    _ = try await append([item("a")], id, test.repository)
    try test.execute(
      """
      INSERT INTO items (conversation, id, type, created_at, fields)
      VALUES (1, 'bad', 'message', 1, '{"a":"' || CAST(x'ff' AS TEXT) || '"}')
      """)
    var query = ItemQuery()
    query.limit = 1
    query.order = .ascending
    let page = try await test.repository.items(query, of: id, in: .default)
    #expect(page.items.ids == ["a"])
    #expect(!page.hasMore)
    #expect(await repositoryError { _ = try fields(test, "bad", id) } == .unreadableItem)
    // Nor can it be copied.
    let other = try await test.create().id
    let copied = await repositoryError {
      _ = try await append([.reference(id: "bad")], other, test.repository)
    }
    #expect(copied == .unreadableItem)
    let report = try SQLiteStore.check(path: test.path)
    #expect(report.findings == [.unreadableItem(conversation: id.description, item: "bad")])
    #expect(report.itemCount == 2)
  }
}
