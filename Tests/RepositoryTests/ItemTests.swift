import Conversations
import Repository
import TestSupport
import Testing

/// What of an append, a page and a copy the contract says (sections 8.4 to 8.7).
@Suite struct ItemTests {
  private static let minted = "msg_" + String(repeating: "0123456789abcdef", count: 3)

  private func fields(_ test: TestStore, _ id: String, _ of: ConversationID) async throws -> String
  {
    String(decoding: try await test.store.item(id, of: of).fields, as: UTF8.self)
  }

  private func append(
    _ items: [AddedItem], _ id: ConversationID, _ store: any Store, once: String? = nil
  ) async throws -> AppendedItems {
    try await store.appendItems(
      items, to: id, in: .default, once: once.map { IdempotencyKey($0, request: [1])! })
  }

  @Test(arguments: Engine.allCases)
  func `what is added is read, and what is deleted is not`(engine: Engine) async throws {
    let test = try TestStore(engine)
    let made = try await test.store.createConversation(
      metadata: metadata(["a": "1"]), items: [item("a", text: "Grüße")], in: .default)
    #expect(try await append([item("b"), item("c")], made.id, test.store).items.count == 2)
    #expect(try await fields(test, "a", made.id) == #"{"text":"Grüße"}"#)
    #expect(
      try await test.store.deleteItem("b", of: made.id, in: .default).metadata
        == made.metadata)
    let page = try await test.store.items(ItemQuery(), of: made.id, in: .default)
    #expect(page.items.ids == ["c", "a"])
    #expect(!page.hasMore)
    let missing = await repositoryError {
      _ = try await test.store.deleteItem("b", of: made.id, in: .default)
    }
    #expect(missing == .item(.notFound(id: "b")))
    #expect(
      await repositoryError { _ = try await fields(test, "b", made.id) }
        == .item(.notFound(id: "b")))
    let other = await repositoryError { _ = try await fields(test, "b", unknownID) }
    #expect(other == .conversationNotFound)
    try await test.store.deleteConversation(made.id, in: .default)
  }

  @Test(arguments: Engine.allCases)
  func `minted ids and references copy, the newest conversation first`(
    engine: Engine
  ) async throws {
    let test = try TestStore(engine)
    let ids = [try await test.create().id, try await test.create().id, try await test.create().id]
    _ = try await append([item(Self.minted, text: "old"), item("x")], ids[0], test.store)
    let copied = try await append([item(Self.minted, text: "ignored")], ids[1], test.store)
    #expect(copied.items.ids == [Self.minted])
    #expect(try await fields(test, Self.minted, ids[1]) == #"{"text":"old"}"#)
    // An id that is not of the minted form is its conversation's own.
    _ = try await append([item("x", text: "new")], ids[1], test.store)
    let added = try await append(
      [item(Self.minted, text: "ignored"), .reference(id: "x")], ids[2], test.store)
    #expect(added.items.ids == [Self.minted, "x"])
    #expect(try await fields(test, "x", ids[2]) == #"{"text":"new"}"#)
    try await test.store.deleteConversation(ids[1], in: .default)
    #expect(try await fields(test, "x", ids[2]) == #"{"text":"new"}"#)
    #expect(try await fields(test, "x", ids[0]) == #"{"text":"a"}"#)
  }

  @Test(arguments: Engine.allCases)
  func `the first fault is the answer, and stores nothing`(engine: Engine) async throws {
    var settings = StoreSettings()
    settings.copiesBytesMax = 30
    let test = try TestStore(engine, settings: settings)
    let (first, second) = (try await test.create().id, try await test.create().id)
    _ = try await append([item("a"), item("b"), item("c")], first, test.store)
    func fault(_ items: [AddedItem], _ id: ConversationID) async -> RepositoryError? {
      await repositoryError { _ = try await append(items, id, test.store) }
    }
    #expect(await fault([.reference(id: "z")], unknownID) == .conversationNotFound)
    #expect(
      await fault([item("a"), .reference(id: "z")], first) == .item(.referenceNotFound(id: "z")))
    #expect(await fault([item("d"), item("a")], first) == .item(.alreadyInConversation))
    #expect(await fault([item("d"), item("d")], second) == .item(.alreadyInConversation))
    let copies = ["a", "b", "c"].map { AddedItem.reference(id: $0) }
    #expect(await fault(copies + [item("d"), item("d")], second) == .item(.alreadyInConversation))
    #expect(await fault(copies, second) == .item(.copiesTooLarge(bytesMax: 30)))
    #expect(try await test.store.items(ItemQuery(), of: second, in: .default).items.isEmpty)
    #expect(try await test.store.items(ItemQuery(), of: first, in: .default).items.count == 3)
  }

  @Test(arguments: Engine.allCases)
  func `a repeat adds nothing, and answers what is still there`(engine: Engine) async throws {
    let test = try TestStore(engine)
    let (first, second) = (try await test.create().id, try await test.create().id)
    let added = try await append([item("a"), item("b")], first, test.store, once: "k")
    #expect(!added.isReplay)
    _ = try await test.store.deleteItem("a", of: first, in: .default)
    let again = try await append([item("a"), item("b")], first, test.store, once: "k")
    #expect(again.isReplay)
    #expect(again.items == Array(added.items.suffix(1)))
    let reused = await repositoryError {
      _ = try await test.store.appendItems(
        [item("a")], to: second, in: .default, once: IdempotencyKey("k", request: [2])!)
    }
    #expect(reused == .idempotencyKeyReused)
    #expect(try await append([], first, test.store, once: "none").items.isEmpty)
    #expect(try await append([], first, test.store, once: "none").isReplay)
    try await test.store.deleteConversation(first, in: .default)
    let fresh = try await append([item("a")], second, test.store, once: "k")
    #expect(!fresh.isReplay)
  }

  @Test(arguments: Engine.allCases, [true, false])
  func `an append's key is remembered for its time, whether it was swept or not`(
    engine: Engine, isSwept: Bool
  ) async throws {
    let clock = TestClock(1_000_000)
    let test = try TestStore(engine, now: { clock.seconds })
    let id = try await test.create().id
    #expect(try await !append([item("a")], id, test.store, once: "k").isReplay)
    clock.seconds += 86_399
    if isSwept { try await test.store.forgetOldIdempotencyKeys() }
    #expect(try await append([item("a")], id, test.store, once: "k").isReplay)
    clock.seconds += 1
    if isSwept { try await test.store.forgetOldIdempotencyKeys() }
    #expect(try await !append([], id, test.store, once: "k").isReplay)
  }

  @Test(arguments: Engine.allCases)
  func `a page ends before it is over 8 MiB`(engine: Engine) async throws {
    let test = try TestStore(engine)
    let id = try await test.create().id
    for (name, mebibytes) in [("a", 3), ("b", 3), ("c", 3), ("d", 9)] {
      let text = String(repeating: "x", count: mebibytes << 20)
      _ = try await append([item(name, text: text)], id, test.store)
    }
    var query = ItemQuery()
    var pages: [[String]] = []
    repeat {
      let page = try await test.store.items(query, of: id, in: .default)
      pages.append(page.items.ids)
      query.after = page.items.last?.id.description
      #expect(page.hasMore == (pages.count < 3))
      if !page.hasMore { break }
    } while true
    #expect(pages == [["d"], ["c", "b"], ["a"]])
  }

  @Test(arguments: Engine.allCases)
  func `pages are those of an array`(engine: Engine) async throws {
    let test = try TestStore(engine)
    let id = try await test.create().id
    var random = SeededGenerator(seed: 15)
    var model: [String] = []
    for round in 0..<60 {
      let added = (0..<Int.random(in: 1...4, using: &random)).map { "i\(round)_\($0)" }
      _ = try await append(added.map { item($0) }, id, test.store)
      model += added
      if round % 3 == 0 {
        let place = Int.random(in: 0..<model.count, using: &random)
        let gone = model.remove(at: place)
        _ = try await test.store.deleteItem(gone, of: id, in: .default)
      }
      var query = ItemQuery()
      query.limit = Int.random(in: 1...8, using: &random)
      query.order = Bool.random(using: &random) ? .ascending : .descending
      if Bool.random(using: &random) { query.after = model.randomElement(using: &random) }
      if Bool.random(using: &random) { query.before = model.randomElement(using: &random) }
      let page = try await test.store.items(query, of: id, in: .default)
      let expected = Self.page(query, of: model)
      #expect(page.items.ids == expected.ids, "\(query)")
      #expect(page.hasMore == expected.hasMore, "\(query)")
    }
    var query = ItemQuery()
    query.before = "gone"
    let fault = await repositoryError {
      _ = try await test.store.items(query, of: id, in: .default)
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
