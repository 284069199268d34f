import Conversations
import Repository
import TestSupport
import Testing

/// The sets that conversations had before.
@Suite struct MetadataHistoryTests {
  private static let days = 30
  private static let daySeconds: Int64 = 86_400

  private static func settings(days: Int = days) -> StoreSettings {
    var settings = StoreSettings()
    settings.metadataHistoryDays = days
    return settings
  }

  private let clock = TestClock()

  private func store(_ engine: Engine, days: Int = days) throws -> TestStore {
    try TestStore(engine, settings: Self.settings(days: days), now: { [clock] in clock.seconds })
  }

  @Test(arguments: Engine.allCases)
  func `each change keeps the former set with who made it, and pages show them`(
    engine: Engine
  ) async throws {
    let test = try store(engine)
    let created = try await test.create(["a": "1", "quote\"\n": "é\\ \u{1f600}"])
    let id = created.id
    let support = ChangeAuthor(keyName: "support", requestID: "req_1")
    let merged = try await test.store.changeMetadata(
      of: id, in: .default, by: .merge(remove: ["a"], set: metadata(["b": "2"]).pairs), if: .none,
      for: support)
    try await test.replace(id, [:])
    try await test.replace(id, ["c": "3"])
    let all = try await test.history(id)
    #expect(all.versions.map(\.metadata) == [.empty, merged.metadata, created.metadata])
    #expect(all.versions.map(\.author) == [.test, .test, support])
    #expect(all.versions.map(\.replacedAt) == Array(repeating: clock.seconds, count: 3))
    #expect(!all.hasMore && all.unreadableCount == 0)
    let numbers = all.versions.map(\.number)
    #expect(numbers == numbers.sorted(by: >) && Set(numbers).count == 3)

    let firstTwo = try await test.history(id, order: .ascending, limit: 2)
    #expect(firstTwo.versions == [all.versions[2], all.versions[1]] && firstTwo.hasMore)
    let last = try await test.history(id, order: .ascending, after: numbers[1])
    #expect(last.versions == [all.versions[0]] && !last.hasMore)
    #expect(try await test.history(id, after: numbers[1]).versions == [all.versions[2]])
    #expect(try await test.history(id, after: 0).versions.isEmpty)
    #expect(try await test.history(id, after: numbers[0] + 1).versions == all.versions)
    #expect(try test.database.findingCount() == 0)

    // Of the conversation alone, and gone with it.
    let other = try await test.create()
    #expect(try await test.history(other.id).versions.isEmpty)
    #expect(
      await repositoryError { _ = try await test.history(unknownID) } == .conversationNotFound)
    try await test.store.deleteConversation(id, in: .default)
    #expect(await repositoryError { _ = try await test.history(id) } == .conversationNotFound)
    #expect(try test.database.findingCount() == 0)
  }

  @Test(arguments: Engine.allCases)
  func `what changes nothing, and what is refused, keeps nothing`(engine: Engine) async throws {
    let test = try store(engine)
    let conversation = try await test.create(["a": "1"])
    let id = conversation.id
    try await test.replace(id, ["a": "1"])
    for change in [
      MetadataChange.merge(remove: ["x"], set: try metadata(["a": "1"]).pairs),
      .merge(remove: [], set: []),
    ] {
      _ = try await test.store.changeMetadata(of: id, in: .default, by: change)
    }
    let stale = Precondition(ifMatch: .oneOf([]))
    #expect(
      await repositoryError {
        _ = try await test.store.changeMetadata(
          of: id, in: .default, by: .replace(with: .empty), if: stale)
      } == .preconditionFailed(.ifMatch))
    _ = try await test.store.appendItems([item("msg_1")], to: id, in: .default, once: nil)
    let record = ConversationRecord(Conversation(id: id, metadata: .empty))
    _ = try await test.store.importRecords([record], mintsIDs: true, in: .default)
    #expect(try await test.history(id).versions.isEmpty)
  }

  @Test(arguments: Engine.allCases)
  func `a restore is a change that is kept itself`(engine: Engine) async throws {
    let test = try store(engine)
    let first = try await test.create(["a": "1"])
    let id = first.id
    let second = try await test.replace(id, ["a": "2", "b": "2"])
    let version = try #require(try await test.history(id).versions.first).number
    let stale = Precondition(ifMatch: .oneOf([first.contentHash]))
    #expect(
      await repositoryError { try await test.restore(version, of: id, if: stale) }
        == .preconditionFailed(.ifMatch))
    #expect(
      await repositoryError { try await test.restore(version - 1, of: id) }
        == .metadataVersion(.notFound(id: "\(version - 1)")))
    #expect(
      await repositoryError { try await test.restore(version, of: unknownID) }
        == .conversationNotFound)
    let other = try await test.create()
    #expect(
      await repositoryError { try await test.restore(version, of: other.id) }
        == .metadataVersion(.notFound(id: "\(version)")))
    #expect(try await test.history(id).versions.count == 1)

    let fresh = Precondition(ifMatch: .oneOf([second.contentHash]))
    let restored = try await test.restore(version, of: id, if: fresh)
    #expect(restored == first)
    #expect(try await test.read(id) == first.metadata)
    // The set that it has already.
    try await test.restore(version, of: id)
    let versions = try await test.history(id).versions
    #expect(versions.map(\.metadata) == [second.metadata, first.metadata])
    try await test.restore(versions[0].number, of: id)
    #expect(try await test.read(id) == second.metadata)
  }

  @Test(arguments: Engine.allCases)
  func `changes of one conversation at once keep each set, with numbers that grow`(
    engine: Engine
  ) async throws {
    let test = try store(engine)
    let id = try await test.create().id
    try await withThrowingTaskGroup { group in
      for client in 0..<8 {
        let change = MetadataChange.merge(
          remove: [], set: try metadata(["client \(client)": ""]).pairs)
        group.addTask {
          _ = try await test.store.changeMetadata(of: id, in: .default, by: change)
        }
      }
      try await group.waitForAll()
    }
    // The clock is set back.
    clock.seconds -= 3 * Self.daySeconds
    try await test.replace(id, [:])
    let versions = try await test.history(id, order: .ascending).versions
    #expect(versions.map(\.metadata.pairs.count) == Array(0...8))
    let numbers = versions.map(\.number)
    #expect(Set(numbers).count == 9)
  }

  @Test(arguments: Engine.allCases)
  func `old versions are forgotten, and none where none are kept`(engine: Engine) async throws {
    let test = try store(engine)
    let id = try await test.create().id
    // More than are forgotten at a time.
    for n in 0..<120 { try await test.replace(id, ["n": "\(n)"]) }
    clock.seconds += 10 * Self.daySeconds
    for n in 3..<6 { try await test.replace(id, ["n": "\(n)"]) }
    try await test.store.forgetOldMetadata()
    #expect(try await test.history(id, limit: 200).versions.count == 123)
    // Exactly so old is not too old.
    clock.seconds += 20 * Self.daySeconds
    try await test.store.forgetOldMetadata()
    #expect(try await test.history(id, limit: 200).versions.count == 123)
    clock.seconds += 1
    try await test.store.forgetOldMetadata()
    let left = try await test.history(id).versions
    #expect(left.count == 3)

    await test.store.close()
    clock.seconds += 100 * Self.daySeconds
    let off = try test.database.open(now: { [clock] in clock.seconds })
    try await off.forgetOldMetadata()
    let changed = try await off.changeMetadata(of: id, in: .default, by: .replace(with: .empty))
    let kept = try await off.metadataHistory(MetadataHistoryQuery(), of: id, in: .default)
    #expect(kept.versions == left)
    let restored = try await off.restoreMetadata(
      left[0].number, of: id, in: .default,
      if: Precondition(ifMatch: .oneOf([changed.contentHash])), for: .test)
    #expect(try restored.metadata == metadata(["n": "4"]))
    let again = try await off.metadataHistory(MetadataHistoryQuery(), of: id, in: .default)
    #expect(again.versions == left)
    await off.close()
  }
}

extension TestStore {
  func history(
    _ id: ConversationID, order: ConversationQuery.Order = .descending, limit: Int = 20,
    after: Int64? = nil
  ) async throws -> MetadataHistoryPage {
    var query = MetadataHistoryQuery()
    query.order = order
    query.limit = limit
    query.after = after
    return try await store.metadataHistory(query, of: id, in: .default)
  }

  @discardableResult
  func restore(
    _ version: Int64, of id: ConversationID, if precondition: Precondition = .none
  ) async throws -> Conversation {
    try await store.restoreMetadata(
      version, of: id, in: .default, if: precondition, for: .test)
  }
}
