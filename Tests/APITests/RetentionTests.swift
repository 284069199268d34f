import Conversations
import Repository
import TestSupport
import Testing

@testable import API

/// Deletion by rules, on every engine.
@Suite struct RetentionTests {
  private static let day: Int64 = 86_400

  private func item(_ id: String) throws -> AddedItem {
    .item(Item(id: try #require(ItemID(id)), type: "message", fields: Array("{}".utf8)))
  }

  private func rules(_ texts: [String]) throws -> RetentionRules {
    RetentionRules(try texts.map { try RetentionRule($0) })
  }

  /// Runs the rules.
  ///
  /// - Returns: How many conversations each of them deleted.
  private func run(_ texts: [String], on store: any Store, now: Int64) async throws -> [Int: Int] {
    var counts: [Int: Int] = [:]
    try await Retention(rules(texts), now: now * 1_000_000).run(on: store) { rule, count in
      counts[rule, default: 0] += count
    }
    return counts
  }

  @Test(arguments: Engine.allCases)
  func `what is old and is not kept goes, by the first rule that says so`(
    engine: Engine
  ) async throws {
    let database = TestDatabase(engine)
    let start: Int64 = 1_700_000_000
    let clock = TestClock(start)
    let store = try database.open(now: { clock.seconds })
    _ = try database.makeKey("a", project: "sales")
    let sales = try #require(try await store.projects().last).id
    func create(
      _ pairs: KeyValuePairs<String, String>, _ project: ProjectID = .default
    ) async throws -> ConversationID {
      try await store.createConversation(metadata: try metadata(pairs), in: project).id
    }
    let old = try await create(["env": "test"])
    let held = try await create(["env": "test", "hold": "yes"])
    let other = try await create(["env": "live"])
    let sold = try await create(["env": "test"], sales)
    let active = try await create(["topic": "a"], sales)
    let idle = try await create(["topic": "a"], sales)
    clock.seconds = start + 10 * Self.day
    let new = try await create(["env": "test"])
    _ = try await store.appendItems([try item("msg_1")], to: active, in: sales, once: nil)
    clock.seconds = start + 12 * Self.day
    let texts = [
      "delete?age=5d&metadata[env]=test", "delete?idle=5d&project=sales", "delete?age=12d",
      "keep?metadata[hold]=yes", "keep?metadata[env]=live&project=default",
    ]
    // Whoever looks with a clock that is ahead deletes nothing more: the store's clock decides.
    let now = clock.seconds + 1000 * Self.day
    var found: [Int: [ConversationID]] = [:]
    var kept: [Int] = []
    let retention = Retention(try rules(texts), now: clock.seconds * 1_000_000)
    try await retention.find(in: store, whenKept: { kept.append($0) }) {
      found[$0, default: []] += $2.map(\.conversation.id)
    }
    #expect(kept.sorted() == [0, 1])
    let misspelt = try rules(["keep?project=slaes", "keep?project=sales", "delete?age=1d"])
    let without = try await Retention(misspelt).rulesWithoutProject(in: store)
    #expect(without.map(\.description) == ["keep?project=slaes"])
    #expect(found.mapValues(Set.init) == [0: [old, sold], 1: [idle], 2: [active]])
    let counts = try await run(texts, on: store, now: now)
    #expect(counts.values.reduce(0, +) == 4)
    func left(_ project: ProjectID) async throws -> [ConversationID] {
      try await store.conversations(ConversationQuery(), in: project).conversations.map(\.id)
    }
    #expect(try await left(.default) == [new, other, held])
    #expect(try await left(sales).isEmpty)
    #expect(try await run(texts, on: store, now: now) == [:])
    await store.close()
  }

  @Test(arguments: Engine.allCases)
  func `more than a page goes, around what is kept, and large conversations too`(
    engine: Engine
  ) async throws {
    let clock = TestClock(1_700_000_000)
    let database = TestDatabase(engine)
    let store = try database.open(now: { clock.seconds })
    let large = try (0..<700).map { try item("msg_\($0)") }
    try await withThrowingTaskGroup { tasks in
      for number in 0..<230 {
        tasks.addTask {
          _ = try await store.createConversation(
            metadata: try metadata(number < 110 ? ["hold": "yes"] : [:]),
            items: number > 225 ? large : [], in: .default)
        }
      }
      try await tasks.waitForAll()
    }
    clock.seconds += 2 * Self.day
    let texts = ["keep?metadata_exists[]=hold", "delete?idle=1d"]
    #expect(try await run(texts, on: store, now: clock.seconds) == [0: 120])
    #expect(try await store.count(of: ConversationQuery(), upTo: 1000, in: .default).value == 110)
    await store.close()
    #expect(try database.findingCount() == 0)
  }

  @Test(arguments: Engine.allCases)
  func `several servers delete each conversation once`(engine: Engine) async throws {
    let clock = TestClock(1_700_000_000)
    let database = TestDatabase(engine)
    let store = try database.open(now: { clock.seconds })
    // One file has one server, which may be asked twice.
    let other = engine == .sqlite ? store : try database.open(now: { clock.seconds })
    for _ in 0..<60 { _ = try await store.createConversation(metadata: .empty, in: .default) }
    clock.seconds += 2 * Self.day
    async let first = run(["delete?age=1d"], on: store, now: clock.seconds)
    async let second = run(["delete?age=1d"], on: other, now: clock.seconds)
    #expect(try await (first[0] ?? 0) + (second[0] ?? 0) == 60)
    if engine == .postgresql { await other.close() }
    await store.close()
  }
}
