import Conversations
import SQLite
import TestSupport
import Testing

@testable import Repository

/// What of an append, a page and a copy the contract says (sections 8.4 to 8.7).
@Suite struct ItemRulesTests {
  private static let minted = "msg_" + String(repeating: "0123456789abcdef", count: 3)

  private func fields(_ test: TestRepository, _ id: String, _ of: ConversationID) throws -> String {
    var snapshot = test.repository.snapshot()
    return try String(decoding: snapshot.item(id, of: of, in: .default).fields, as: UTF8.self)
  }

  private func append(
    _ items: [AddedItem], _ id: ConversationID, _ repository: Repository, once: String? = nil
  ) async throws -> AppendedItems {
    try await repository.appendItems(
      items, to: id, in: .default, once: once.map { IdempotencyKey($0, request: [1])! })
  }

  @Test func `what is added is read, and what is deleted is not`() async throws {
    let test = try TestRepository()
    let made = try await test.repository.createConversation(
      metadata: metadata(["a": "1"]), items: [item("a", text: "Grüße")], in: .default)
    #expect(try await append([item("b"), item("c")], made.id, test.repository).items.count == 2)
    #expect(try fields(test, "a", made.id) == #"{"text":"Grüße"}"#)
    #expect(
      try await test.repository.deleteItem("b", of: made.id, in: .default).metadata
        == made.metadata)
    let page = try await test.repository.items(ItemQuery(), of: made.id, in: .default)
    #expect(page.items.ids == ["c", "a"])
    #expect(!page.hasMore)
    let missing = await repositoryError {
      _ = try await test.repository.deleteItem("b", of: made.id, in: .default)
    }
    #expect(missing == .item(.notFound(id: "b")))
    #expect(
      await repositoryError { _ = try fields(test, "b", made.id) } == .item(.notFound(id: "b")))
    let other = await repositoryError { _ = try fields(test, "b", SampleFile.id(1)) }
    #expect(other == .conversationNotFound)
    try await test.repository.deleteConversation(made.id, in: .default)
    #expect(try test.count("items") == 0)
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

  @Test func `the first fault is the answer, and stores nothing`() async throws {
    var settings = Repository.Settings()
    settings.copiesBytesMax = 30
    let test = try TestRepository(settings: settings)
    let (first, second) = (try await test.create().id, try await test.create().id)
    _ = try await append([item("a"), item("b"), item("c")], first, test.repository)
    func fault(_ items: [AddedItem], _ id: ConversationID) async -> RepositoryError? {
      await repositoryError { _ = try await append(items, id, test.repository) }
    }
    #expect(await fault([.reference(id: "z")], SampleFile.id(1)) == .conversationNotFound)
    #expect(
      await fault([item("a"), .reference(id: "z")], first) == .item(.referenceNotFound(id: "z")))
    #expect(await fault([item("d"), item("a")], first) == .item(.alreadyInConversation))
    #expect(await fault([item("d"), item("d")], second) == .item(.alreadyInConversation))
    let copies = ["a", "b", "c"].map { AddedItem.reference(id: $0) }
    #expect(await fault(copies + [item("d"), item("d")], second) == .item(.alreadyInConversation))
    #expect(await fault(copies, second) == .item(.copiesTooLarge(bytesMax: 30)))
    #expect(try test.count("items") == 3)
  }

  @Test func `a repeat adds nothing, and answers what is still there`() async throws {
    let test = try TestRepository()
    let (first, second) = (try await test.create().id, try await test.create().id)
    let added = try await append([item("a"), item("b")], first, test.repository, once: "k")
    #expect(!added.isReplay)
    _ = try await test.repository.deleteItem("a", of: first, in: .default)
    let again = try await append([item("a"), item("b")], first, test.repository, once: "k")
    #expect(again.isReplay)
    #expect(again.items == Array(added.items.suffix(1)))
    let reused = await repositoryError {
      _ = try await test.repository.appendItems(
        [item("a")], to: second, in: .default, once: IdempotencyKey("k", request: [2])!)
    }
    #expect(reused == .idempotencyKeyReused)
    #expect(try await append([], first, test.repository, once: "none").items.isEmpty)
    #expect(try await append([], first, test.repository, once: "none").isReplay)
    try test.execute("DELETE FROM conversations WHERE number = 1")
    #expect(try test.count("append_idempotency_keys") == 0)
  }

  @Test func `old keys of appends are forgotten`() async throws {
    let clock = TestClock(1_000_000)
    let test = try TestRepository(now: { clock.seconds })
    let id = try await test.create().id
    _ = try await append([item("a")], id, test.repository, once: "k")
    clock.seconds += 90_000
    try await test.repository.forgetOldIdempotencyKeys()
    #expect(try test.count("append_idempotency_keys") == 0)
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
    let report = try Repository.check(path: test.path)
    #expect(report.findings == [.unreadableItem(conversation: id.description, item: "bad")])
    #expect(report.itemCount == 2)
  }

  @Test func `a page ends before it is over 8 MiB`() async throws {
    let test = try TestRepository()
    let id = try await test.create().id
    for (name, mebibytes) in [("a", 3), ("b", 3), ("c", 3), ("d", 9)] {
      let text = String(repeating: "x", count: mebibytes << 20)
      _ = try await append([item(name, text: text)], id, test.repository)
    }
    var query = ItemQuery()
    var pages: [[String]] = []
    repeat {
      let page = try await test.repository.items(query, of: id, in: .default)
      pages.append(page.items.ids)
      query.after = page.items.last?.id.description
      #expect(page.hasMore == (pages.count < 3))
      if !page.hasMore { break }
    } while true
    #expect(pages == [["d"], ["c", "b"], ["a"]])
  }

  @Test func `pages are those of an array`() async throws {
    let test = try TestRepository()
    let id = try await test.create().id
    var random = SeededGenerator(seed: 15)
    var model: [String] = []
    for round in 0..<60 {
      let added = (0..<Int.random(in: 1...4, using: &random)).map { "i\(round)_\($0)" }
      _ = try await append(added.map { item($0) }, id, test.repository)
      model += added
      if round % 3 == 0 {
        let place = Int.random(in: 0..<model.count, using: &random)
        let gone = model.remove(at: place)
        _ = try await test.repository.deleteItem(gone, of: id, in: .default)
      }
      var query = ItemQuery()
      query.limit = Int.random(in: 1...8, using: &random)
      query.order = Bool.random(using: &random) ? .ascending : .descending
      if Bool.random(using: &random) { query.after = model.randomElement(using: &random) }
      if Bool.random(using: &random) { query.before = model.randomElement(using: &random) }
      let page = try await test.repository.items(query, of: id, in: .default)
      let expected = Self.page(query, of: model)
      #expect(page.items.ids == expected.ids, "\(query)")
      #expect(page.hasMore == expected.hasMore, "\(query)")
    }
    var query = ItemQuery()
    query.before = "gone"
    let fault = await repositoryError {
      _ = try await test.repository.items(query, of: id, in: .default)
    }
    #expect(fault == .item(.cursorNotFound(.before, id: "gone")))
  }

  private static func page(
    _ query: ItemQuery, of model: [String]
  ) -> (ids: [String], hasMore: Bool) {
    let ordered = query.order == .descending ? model.reversed() : model
    let first = query.after.map { ordered.firstIndex(of: $0)! + 1 } ?? 0
    let last = query.before.map { ordered.firstIndex(of: $0)! } ?? ordered.count
    guard first < last else { return ([], false) }
    let range = Array(ordered[first..<last])
    let isBackwards = query.before != nil && query.after == nil
    let ids = isBackwards ? Array(range.suffix(query.limit)) : Array(range.prefix(query.limit))
    return (ids, range.count > query.limit)
  }
}
