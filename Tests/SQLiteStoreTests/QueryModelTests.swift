import Conversations
import Repository
import SQLite
import TestSupport
import Testing

@testable import SQLiteStore

/// Random queries of random conversations, answered by the reader and by a plain list.
@Suite struct QueryModelTests {
  struct Row {
    let id: ConversationID
    let project: ProjectID
    let pairs: [String: String]

    func fulfils(_ condition: ConversationQuery.Condition) -> Bool {
      switch condition {
      case .value(let key, let values): pairs[key].map(values.contains) ?? false
      case .exists(let key): pairs[key] != nil
      case .absent(let key): pairs[key] == nil
      }
    }
  }

  private static let keys = ["a", "b", "c", "d"]
  private static let values = ["0", "1", "2", "3"]
  private static let projects = [ProjectID.default, ProjectID(number: 2)]

  /// Conversations of two projects in turn, several of them in a second, some seconds without any.
  private func rows(using random: inout SeededGenerator) -> [Row] {
    var rows: [Row] = []
    var second: Int64 = 100
    for _ in 0..<Int.random(in: 0...120, using: &random) {
      if Int.random(in: 0..<3, using: &random) == 0 {
        second += Int64.random(in: 1...3, using: &random)
      }
      let id = ConversationID(
        atMicroseconds: second * 1_000_000, after: rows.last?.id, using: &random)
      var pairs: [String: String] = [:]
      for (place, key) in Self.keys.enumerated() {
        // The first key is on nearly all, the last one on few.
        guard Int.random(in: 0..<5, using: &random) > place else { continue }
        pairs[key] = Self.values[Int.random(in: 0..<(4 - place), using: &random)]
      }
      rows.append(Row(id: id, project: Self.projects.randomElement(using: &random)!, pairs: pairs))
    }
    return rows
  }

  private func file(_ rows: [Row], deleting deleted: [Row]) throws -> SampleFile {
    let file = try SampleFile()
    var sql = "INSERT INTO projects (number, name) VALUES (2, 'other');"
    for (number, row) in rows.enumerated() {
      let project = row.project.number
      sql += """
        INSERT INTO conversations (number, project, id, created_at)
        VALUES (\(number + 1), \(project), '\(row.id)', \(row.id.createdAt));
        """
      for (key, value) in row.pairs {
        sql += """
          INSERT INTO metadata (project, conversation, key, value)
          VALUES (\(project), \(number + 1), '\(key)', '\(value)');
          """
      }
    }
    for row in deleted { sql += "DELETE FROM conversations WHERE id = '\(row.id)';" }
    try file.execute(sql)
    return file
  }

  /// - Parameter rows: Conversations whose ids may be cursors, those of others and deleted ones too.
  private func randomQuery(
    of rows: [Row], using random: inout SeededGenerator
  ) throws -> ConversationQuery {
    func chance(_ many: Int, _ random: inout SeededGenerator) -> Bool {
      Int.random(in: 0..<many, using: &random) == 0
    }
    var query = ConversationQuery()
    query.order = .allCases.randomElement(using: &random)!
    query.limit = chance(4, &random) ? 100 : Int.random(in: 1...9, using: &random)
    let stranger = ConversationID(atMicroseconds: 130_000_000, after: nil, using: &random)
    func randomCursor() -> ConversationCursor {
      .conversation(rows.randomElement(using: &random)?.id ?? stranger)
    }
    if chance(3, &random) { query.after = randomCursor() }
    if chance(3, &random) { query.before = randomCursor() }
    if chance(6, &random) { query.after = .conversation(stranger) }
    if chance(4, &random) { query.createdFrom = Int64.random(in: 95...180, using: &random) }
    if chance(4, &random) { query.createdBefore = Int64.random(in: 95...220, using: &random) }
    for _ in 0..<[0, 1, 1, 2, 2, 3, 4, 6].randomElement(using: &random)! {
      // A key and a value that nobody has, now and then.
      let key = chance(12, &random) ? "none" : Self.keys.randomElement(using: &random)!
      let value = chance(12, &random) ? "none" : Self.values.randomElement(using: &random)!
      switch Int.random(in: 0..<6, using: &random) {
      case 0: try query.require(key: key)
      case 1: try query.refuse(key: key)
      default: try query.require(Metadata.Pair(key: key, value: value))
      }
    }
    return query
  }

  /// What the contract says (section 6), on a list in the order of creation.
  private func answer(
    _ query: ConversationQuery, of project: ProjectID, from rows: [Row]
  ) -> (ids: [ConversationID], hasMore: Bool) {
    let ascending = rows.filter { row in
      row.project == project && query.conditions.allSatisfy(row.fulfils)
        && row.id.createdAt >= query.createdFrom ?? .min
        && row.id.createdAt < query.createdBefore ?? .max
    }.map(\.id)
    let isAscending = query.order == .ascending
    let inOrder = (isAscending ? ascending : ascending.reversed()).filter { id in
      (query.after?.id.map { isAscending ? $0 < id : id < $0 } ?? true)
        && (query.before?.id.map { isAscending ? id < $0 : $0 < id } ?? true)
    }
    let isBackwards = query.before != nil && query.after == nil
    let page = isBackwards ? inOrder.suffix(query.limit) : inOrder.prefix(query.limit)
    return (Array(page), inOrder.count > query.limit)
  }

  @Test(arguments: 1...12 as ClosedRange<UInt64>)
  func `the reader answers what a plain list answers`(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let rows = rows(using: &random)
    let deleted = rows.filter { _ in Int.random(in: 0..<10, using: &random) == 0 }
    let remaining = rows.filter { row in !deleted.contains { $0.id == row.id } }
    let pairs = Dictionary(uniqueKeysWithValues: remaining.map { ($0.id, $0.pairs) })
    let reader = try file(rows, deleting: deleted).reader()
    var found = 0
    for _ in 0..<300 {
      let query = try randomQuery(of: rows, using: &random)
      let project = Self.projects.randomElement(using: &random)!
      let page = try reader.page(query, in: project) { false }
      let expected = answer(query, of: project, from: remaining)
      try #require(page.conversations.map(\.id) == expected.ids, "\(query)")
      try #require(page.hasMore == expected.hasMore, "\(query)")
      for conversation in page.conversations {
        let read = conversation.metadata.pairs.map { ($0.key, $0.value) }
        try #require(Dictionary(uniqueKeysWithValues: read) == pairs[conversation.id])
      }
      found += page.conversations.count
    }
    #expect(reader.work.fullScanSteps == 0 && reader.work.sorts == 0)
    // The queries are not all so narrow that nothing is compared.
    #expect(remaining.count < 20 || found > 200)
  }

  @Test(arguments: 1...6 as ClosedRange<UInt64>)
  func `a walk through all pages sees each conversation once`(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let rows = rows(using: &random)
    let reader = try file(rows, deleting: []).reader()
    for _ in 0..<30 {
      var query = try randomQuery(of: rows, using: &random)
      (query.after, query.before, query.limit) = (nil, nil, 100)
      let all = try reader.page(query).conversations.map(\.id)
      query.limit = Int.random(in: 1...7, using: &random)
      // Forwards from the first one, and backwards from a place after the last.
      var (forwards, backwards): ([ConversationID], [ConversationID]) = ([], [])
      repeat {
        query.after = forwards.last.map { .conversation($0) }
        forwards += try reader.page(query).conversations.map(\.id)
      } while try reader.page(query).hasMore
      query.after = nil
      let ends = ["0", "f"].map { ConversationID("conv_" + String(repeating: $0, count: 48))! }
      repeat {
        query.before = .conversation(
          backwards.first ?? ends[query.order == .ascending ? 1 : 0])
        backwards = try reader.page(query).conversations.map(\.id) + backwards
      } while try reader.page(query).hasMore
      try #require(forwards == all, "\(query)")
      try #require(backwards == all, "\(query)")
    }
  }
}

extension ConversationCursor {
  /// The id of a place in the order of creation.
  fileprivate var id: ConversationID? { if case .conversation(let id) = self { id } else { nil } }
}
