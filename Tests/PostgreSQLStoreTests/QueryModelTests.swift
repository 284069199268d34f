import Conversations
import PostgreSQL
import Repository
import TestSupport
import Testing

@testable import PostgreSQLStore

/// Random queries of random conversations, answered by the store and by a plain list.
@Suite struct QueryModelTests {
  struct Row {
    let id: ConversationID
    let project: ProjectID
    let pairs: [String: String]
    let activity: Int64

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

  /// Conversations of two projects, several in a second, some of them as active as others.
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
      rows.append(
        Row(
          id: id, project: Self.projects.randomElement(using: &random)!, pairs: pairs,
          activity: 1_000_000_000 + Int64.random(in: 0..<30, using: &random)))
    }
    return rows
  }

  private func database(_ rows: [Row]) throws -> TestDatabase {
    let database = try TestDatabase()
    var sql = "INSERT INTO projects VALUES (2, 'other');"
    for row in rows {
      let metadata = row.pairs.map { #""\#($0.key)":"\#($0.value)""# }.joined(separator: ",")
      sql += """
        INSERT INTO conversations (project, id, created_at, metadata)
        VALUES (\(row.project.number), decode('\(row.id.description.dropFirst(5))', 'hex'),
          \(row.id.createdAt), '{\(metadata)}');
        """
    }
    // What no trigger may do by itself.
    sql += "SET conversationd.lane = 'on';"
    for row in rows {
      sql += """
        UPDATE conversations SET last_activity = \(row.activity)
        WHERE id = decode('\(row.id.description.dropFirst(5))', 'hex');
        """
    }
    try database.execute(sql)
    return database
  }

  /// - Parameter rows: Conversations whose ids may be cursors, those of others too.
  private func randomQuery(
    of rows: [Row], in project: ProjectID, using random: inout SeededGenerator
  ) throws -> ConversationQuery {
    func chance(_ many: Int, _ random: inout SeededGenerator) -> Bool {
      Int.random(in: 0..<many, using: &random) == 0
    }
    var query = ConversationQuery()
    query.order = .allCases.randomElement(using: &random)!
    query.orderBy = .allCases.randomElement(using: &random)!
    query.limit = chance(4, &random) ? 100 : Int.random(in: 1...9, using: &random)
    func randomCursor() -> ConversationCursor? {
      guard let row = rows.randomElement(using: &random) else { return nil }
      guard query.orderBy == .lastActivity else { return .conversation(row.id) }
      return chance(2, &random) && row.project == project
        ? .conversation(row.id) : .activity(row.id, microseconds: row.activity)
    }
    if chance(3, &random) { query.after = randomCursor() }
    if chance(3, &random) { query.before = randomCursor() }
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

  /// What the contract says of lists, on a list.
  private func answer(
    _ query: ConversationQuery, of project: ProjectID, from rows: [Row]
  ) -> (ids: [ConversationID], hasMore: Bool, count: Int) {
    func place(_ row: Row) -> (Int64, ConversationID) {
      (query.orderBy == .lastActivity ? row.activity : 0, row.id)
    }
    func place(_ cursor: ConversationCursor) -> (Int64, ConversationID) {
      switch cursor {
      case .conversation(let id): place(rows.first { $0.id == id }!)
      case .activity(let id, let microseconds): (microseconds, id)
      }
    }
    let fulfilling = rows.filter { row in
      row.project == project && query.conditions.allSatisfy(row.fulfils)
        && row.id.createdAt >= query.createdFrom ?? .min
        && row.id.createdAt < query.createdBefore ?? .max
    }
    let isAscending = query.order == .ascending
    let inOrder = fulfilling.sorted { (place($0) < place($1)) == isAscending }.filter { row in
      (query.after.map { (place($0) < place(row)) == isAscending && place($0) != place(row) }
        ?? true)
        && (query.before.map { (place(row) < place($0)) == isAscending && place($0) != place(row) }
          ?? true)
    }
    let isBackwards = query.before != nil && query.after == nil
    let page = isBackwards ? inOrder.suffix(query.limit) : inOrder.prefix(query.limit)
    return (page.map(\.id), inOrder.count > query.limit, fulfilling.count)
  }

  @Test(arguments: 1...6 as ClosedRange<UInt64>)
  func `the store answers what a plain list answers`(seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed)
    let rows = rows(using: &random)
    let database = try database(rows)
    let store = try database.store()
    var found = 0
    for _ in 0..<150 {
      let project = Self.projects.randomElement(using: &random)!
      let query = try randomQuery(of: rows, in: project, using: &random)
      let page = try await store.conversations(query, in: project)
      let expected = answer(query, of: project, from: rows)
      try #require(page.conversations.map(\.id) == expected.ids, "\(query)")
      try #require(page.hasMore == expected.hasMore, "\(query)")
      found += page.conversations.count
      guard query.orderBy == .createdAt, query.after == nil, query.before == nil else { continue }
      let count = try await store.count(of: query, upTo: 1000, in: project)
      try #require(count == ConversationCount(expected.count, isExact: true), "\(query)")
    }
    #expect(rows.count < 20 || found > 100)
    try await facets(rows, store)
    await store.close()
  }

  private func facets(_ rows: [Row], _ store: PostgreSQLStore) async throws {
    for project in Self.projects {
      let pairs = rows.filter { $0.project == project }.flatMap(\.pairs)
      var query = FacetQuery(.keys)
      query.countLimit = 1000
      let keys = try await store.facets(query, in: project).facets
      #expect(keys.map(\.text) == Set(pairs.map(\.key)).sorted())
      for key in keys {
        let own = pairs.filter { $0.key == key.text }
        #expect(key.count == ConversationCount(own.count, isExact: true))
        var query = FacetQuery(.values(key: key.text))
        query.after = "0"
        let values = try await store.facets(query, in: project).facets.map(\.text)
        #expect(values == Set(own.map(\.value)).sorted().filter { $0 > "0" })
      }
    }
  }
}
