import Conversations
import Repository
import TestSupport
import Testing

/// What leaves one database by export and enters another by import, whichever engines they have.
@Suite struct TransferTests {
  /// Some seconds after which everything here happens.
  private static let start: Int64 = 1_800_000_000

  private static func database(_ engine: Engine, at seconds: Int64) throws -> TestStore {
    try TestStore(engine, now: { seconds })
  }

  /// Four conversations, the third of another kind, the fourth with many items.
  private static func filled(_ engine: Engine) async throws -> TestStore {
    let test = try database(engine, at: start)
    try await test.create(["topic": "a", "é": "\u{1}\"\\"], items: [item("msg_1", text: "Grüße")])
    try await test.create(["topic": "a"])
    try await test.create(["topic": "b"], items: [item("msg_1"), item("msg_2")])
    let last = try await test.create(["topic": "a"])
    for number in 1...9 {
      _ = try await test.store.appendItems(
        [item("msg_\(number)", text: String(repeating: "x", count: 300))], to: last.id,
        in: .default, once: nil)
    }
    _ = try await test.store.deleteItem("msg_5", of: last.id, in: .default)
    return test
  }

  private static func exported(_ store: any Store) async throws -> [ConversationRecord] {
    let page = try await store.exportPage(ConversationQuery(), from: nil, in: .default)
    #expect(page.next == nil)
    return page.records
  }

  private static func records(
    _ test: TestStore, _ query: ConversationQuery = ConversationQuery(), bytesMax: Int
  ) throws -> [ConversationRecord] {
    let source = try test.database.openSource()
    var records: [ConversationRecord] = []
    var place: ExportPlace?
    repeat {
      let page = try source.exportPage(query, from: place, in: .default, bytesMax: bytesMax)
      records += page.records
      place = page.next.flatMap { ExportPlace("\($0)") }
      #expect(place == page.next)
    } while place != nil
    return records
  }

  @Test(arguments: Engine.allCases, Engine.allCases)
  func `what is exported is imported with ids, times and bytes, and once only`(
    from: Engine, to: Engine
  ) async throws {
    let source = try await Self.filled(from)
    let records = try await Self.exported(source.store)
    #expect(records.map(\.items.count) == [1, 0, 2, 8])
    #expect(records.allSatisfy { $0.items.allSatisfy { $0.createdAt == Self.start } })
    let target = try Self.database(to, at: Self.start + 10)
    let outcomes = try await target.store.importRecords(records, mintsIDs: false, in: .default)
    #expect(outcomes == records.map { .created($0.conversation.id) })
    #expect(try await Self.exported(target.store) == records)
    let again = try await target.store.importRecords(records, mintsIDs: false, in: .default)
    #expect(again == records.map { _ in .unchanged })

    // What was changed since, or was deleted, is left as it is; what is new comes after all.
    try await target.replace(records[1].conversation.id, ["topic": "c"])
    _ = try await target.store.appendItems(
      [item("msg_9")], to: records[0].conversation.id, in: .default, once: nil)
    try await target.store.deleteConversation(records[2].conversation.id, in: .default)
    let new = try await target.create()
    #expect(new.id > records[3].conversation.id)
    let later = try await target.store.importRecords(records, mintsIDs: false, in: .default)
    #expect(later == [.different, .different, .outOfOrder, .unchanged])
    // Another project is not told that these ids are taken.
    _ = try target.database.makeKey(project: "other")
    let other = try #require(try target.database.openSource().project(named: "other"))
    let theirs = try await target.store.importRecords(records, mintsIDs: false, in: other)
    #expect(theirs == records.map { _ in .outOfOrder })
    #expect(try await target.count() == 4)
  }

  @Test(arguments: Engine.allCases)
  func `new ids are of the present, and what is in the conversations is not`(
    engine: Engine
  ) async throws {
    let source = try await Self.filled(engine)
    let records = try await Self.exported(source.store)
    let target = try Self.database(engine, at: Self.start + 10)
    let newest = try await target.create()
    for round in 1...2 {
      let outcomes = try await target.store.importRecords(records, mintsIDs: true, in: .default)
      let ids = outcomes.compactMap { if case .created(let id) = $0 { id } else { nil } }
      #expect(ids.count == 4 && ids == ids.sorted() && ids[0] > newest.id)
      #expect(ids.allSatisfy { $0.createdAt == Self.start + 10 })
      let made = try await Self.exported(target.store).suffix(4)
      #expect(made.map(\.items) == records.map(\.items))
      #expect(made.map(\.conversation.metadata) == records.map(\.conversation.metadata))
      #expect(try await target.count() == 1 + 4 * round)
    }
  }

  @Test(arguments: Engine.allCases, Engine.allCases)
  func `a conversation that is too large for a page comes in pieces`(
    from: Engine, to: Engine
  ) async throws {
    let source = try await Self.filled(from)
    let whole = try await Self.exported(source.store)
    let records = try Self.records(source, bytesMax: 1200)
    #expect(records.prefix(3) == whole.prefix(3))
    let pieces = Array(records.dropFirst(3))
    #expect(pieces.count > 2)
    #expect(pieces.flatMap(\.items) == whole[3].items)
    #expect(pieces.map(\.hasMore) == pieces.indices.map { $0 < pieces.count - 1 })
    #expect(pieces[0].afterItem == nil)
    #expect(pieces[1].afterItem == pieces[0].items.last?.item.id)

    // In one request, and in a request each.
    for isTogether in [true, false] {
      let target = try Self.database(to, at: Self.start + 10)
      for _ in 1...2 {
        var outcomes: [ImportOutcome] = []
        for some in isTogether ? [records] : records.map({ [$0] }) {
          outcomes += try await target.store.importRecords(some, mintsIDs: false, in: .default)
        }
        #expect(Set(outcomes.map { "\($0)".prefix(9) }).count <= 2)
        #expect(try await Self.exported(target.store) == whole)
        #expect(try target.database.findingCount() == 0)
      }
      // Without the piece before it, one has no place.
      _ = try await target.store.deleteItem("msg_9", of: whole[3].conversation.id, in: .default)
      let gap = try await target.store.importRecords(pieces, mintsIDs: false, in: .default)
      #expect(gap.first == .unchanged && gap.last == .different)
      let copies = try await target.store.importRecords(records, mintsIDs: true, in: .default)
      #expect(copies.suffix(pieces.count - 1).allSatisfy { $0 == .continued })
      let copy = try await Self.exported(target.store).last
      #expect(copy?.items == whole[3].items)
      let lonely = try await target.store.importRecords(
        [pieces[1].renamed(to: unknownID)], mintsIDs: false, in: .default)
      #expect(lonely == [.outOfOrder])
    }
  }

  @Test(arguments: Engine.allCases)
  func `pieces fit together whatever happens between two of them`(engine: Engine) async throws {
    let clock = TestClock(Self.start)
    let test = try TestStore(engine, now: { clock.seconds })
    let id = try await test.create(["topic": "a"]).id
    let long = String(repeating: "x", count: 600)
    for number in 1...4 {
      _ = try await test.store.appendItems(
        [item("msg_\(number)", text: long)], to: id, in: .default, once: nil)
    }
    let source = try test.database.openSource()
    let query = ConversationQuery()
    let first = try source.exportPage(query, from: nil, in: .default, bytesMax: 2000)
    #expect(first.records[0].items.map(\.item.id.description) == ["msg_1", "msg_2"])
    // The item at the cut goes, the metadata is another, and one more item comes.
    _ = try await test.store.deleteItem("msg_2", of: id, in: .default)
    try await test.replace(id, ["topic": "b"])
    clock.seconds += 5
    _ = try await test.store.appendItems(
      [item("msg_5", text: long)], to: id, in: .default, once: nil)
    var pieces = first.records
    var place = first.next
    while let next = place {
      let page = try source.exportPage(query, from: next, in: .default, bytesMax: 2000)
      pieces += page.records
      place = page.next
    }
    #expect(pieces.map(\.items.count) == [2, 2, 1])
    #expect(pieces[1].afterItem == ItemID("msg_2"))
    let now = try await Self.exported(test.store)[0]

    for isTogether in [true, false] {
      let target = try Self.database(engine, at: Self.start + 10)
      for outcome in [ImportOutcome.continued, .unchanged] {
        var outcomes: [ImportOutcome] = []
        for some in isTogether ? [pieces] : pieces.map({ [$0] }) {
          outcomes += try await target.store.importRecords(some, mintsIDs: false, in: .default)
        }
        #expect(outcomes.dropFirst() == [outcome, outcome])
        let stored = try await Self.exported(target.store)[0]
        #expect(stored.items == pieces.flatMap(\.items))
        #expect(stored.conversation == first.records[0].conversation)
        #expect(stored.lastActivityMicroseconds == now.lastActivityMicroseconds)
        #expect(try target.database.findingCount() == 0)
      }
    }
  }

  @Test(arguments: Engine.allCases)
  func `a piece goes on with a conversation of its import, once`(engine: Engine) async throws {
    let test = try Self.database(engine, at: Self.start)
    let conversation = Conversation(id: unknownID, metadata: .empty)
    func items(_ ids: String...) -> [ItemRecord] {
      ids.map { id in
        ItemRecord(
          Item(id: ItemID(id)!, type: "message", fields: Array("{}".utf8)), createdAt: 1)
      }
    }
    let first = ConversationRecord(conversation, items: items("a", "b"), hasMore: true)
    func piece(_ last: String, _ ids: [ItemRecord]) -> ConversationRecord {
      ConversationRecord(conversation, items: ids, afterItem: ItemID(last))
    }
    // An item that an earlier piece has, of this request or of one before.
    let again = piece("b", items("c", "a"))
    for outcome in [ImportOutcome.created(unknownID), .unchanged] {
      let outcomes = try await test.store.importRecords(
        [first, again], mintsIDs: false, in: .default)
      #expect(outcomes == [outcome, .different])
    }
    let rest = [piece("b", items("c")), piece("c", items("d", "b"))]
    let outcomes = try await test.store.importRecords(rest, mintsIDs: false, in: .default)
    #expect(outcomes == [.continued, .different])
    // With new ids none goes on with the conversation that was copied, only with a copy.
    for some in [[rest[0]], [piece("c", items("e"))]] {
      let lonely = try await test.store.importRecords(some, mintsIDs: true, in: .default)
      #expect(lonely == [.outOfOrder])
    }
    let copies = try await test.store.importRecords([first], mintsIDs: true, in: .default)
    guard case .created(let copy) = copies[0] else { throw NothingFound() }
    for outcome in [ImportOutcome.continued, .unchanged] {
      let renamed = try await test.store.importRecords(
        [rest[0].renamed(to: copy)], mintsIDs: false, in: .default)
      #expect(renamed == [outcome])
    }
    let stored = try await Self.exported(test.store)
    let ids = stored.map { $0.items.map(\.item.id.description) }
    #expect(ids == [["a", "b", "c"], ["a", "b", "c"]])
    #expect(try test.database.findingCount() == 0)
  }

  @Test func `lines are told whose conversation ends too early`() {
    func record(_ digit: Int, isRest: Bool = false, hasMore: Bool) -> ConversationRecord {
      ConversationRecord(
        Conversation(
          id: ConversationID("conv_\(digit)" + String(repeating: "0", count: 47))!,
          metadata: .empty), afterItem: isRest ? ItemID("a") : nil, hasMore: hasMore)
    }
    var pieces = PieceSequence()
    for (index, one) in [
      record(1, hasMore: true), record(1, isRest: true, hasMore: true),
      record(1, isRest: true, hasMore: false), record(2, hasMore: true),
      record(3, hasMore: true), record(3, hasMore: true), record(3, isRest: true, hasMore: true),
    ].enumerated() {
      pieces.add(one, line: index + 1)
    }
    pieces.end()
    pieces.end()
    #expect(pieces.incomplete.map(\.line) == [4, 5, 7])
  }

  @Test(arguments: Engine.allCases)
  func `conditions choose what is exported, in pages of any size`(engine: Engine) async throws {
    let source = try await Self.filled(engine)
    let whole = try await Self.exported(source.store)
    var query = ConversationQuery()
    try query.require(Metadata.Pair(key: "topic", value: "a"))
    #expect(try Self.records(source, query, bytesMax: 1 << 20) == [whole[0], whole[1], whole[3]])
    #expect(try Self.records(source, query, bytesMax: 1).count == 2 + 8)
    try query.require(key: "é")
    #expect(try Self.records(source, query, bytesMax: 1) == [whole[0]])
    var recent = ConversationQuery()
    recent.createdFrom = Self.start + 1
    #expect(try Self.records(source, recent, bytesMax: 1) == [])
    let newest = try source.database.openSource().newestID(in: .default)
    #expect(newest == whole[3].conversation.id)
    #expect(try source.database.openSource().project(named: "none") == nil)
    // A conversation that was deleted between two pages is passed.
    let place = ExportPlace(
      whole[3].conversation.id, after: ExportPlace.Item(at: 1, ItemID("msg_1")!))
    try await source.store.deleteConversation(whole[3].conversation.id, in: .default)
    let rest = try await source.store.exportPage(ConversationQuery(), from: place, in: .default)
    #expect(rest.records.isEmpty && rest.next == nil)
  }

  @Test(arguments: Engine.allCases)
  func `a time that is still to come refuses all`(engine: Engine) async throws {
    let test = try Self.database(engine, at: Self.start)
    let now = "conv_" + String(Self.start, radix: 16) + String(repeating: "0", count: 40)
    let past = ConversationRecord(Conversation(id: unknownID, metadata: .empty))
    let id = try #require(ConversationID(now))
    let present = ConversationRecord(Conversation(id: id, metadata: .empty))
    let futures = [
      ConversationRecord(present.conversation, lastActivityMicroseconds: .max),
      ConversationRecord(
        past.conversation,
        items: [
          ItemRecord(
            Item(id: ItemID("a")!, type: "message", fields: Array("{}".utf8)),
            createdAt: Self.start + 1)
        ]),
    ]
    for future in futures {
      for mintsIDs in [false, true] {
        let error = await repositoryError {
          _ = try await test.store.importRecords([past, future], mintsIDs: mintsIDs, in: .default)
        }
        #expect(error == .laterThanNow(record: 1))
      }
    }
    #expect(try await test.count() == 0)
    let outcomes = try await test.store.importRecords(
      [past, present, past], mintsIDs: false, in: .default)
    #expect(outcomes == [.created(unknownID), .created(id), .unchanged])
    #expect(try await test.create().id > id)
    #expect(try await test.store.importRecords([], mintsIDs: false, in: .default) == [])
  }
}
