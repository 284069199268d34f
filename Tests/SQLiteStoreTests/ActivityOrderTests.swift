import Conversations
import Repository
import SQLite
import TestSupport
import Testing

@testable import SQLiteStore

/// Pages in the order of last activity: against a list in memory, and what they cost.
@Suite struct ActivityOrderTests {
  private struct Row {
    let id: ConversationID
    let number: Int64
    let project: ProjectID
    let pairs: [String: String]
    var microseconds: Int64

    var place: (Int64, Int64) { (microseconds, number) }
  }

  private static let projects = [ProjectID.default, ProjectID(number: 2)]

  /// Conversations of two projects, of which some had an append later, many at the same moment.
  private func rows(_ random: inout SeededGenerator) -> [Row] {
    (1...90).map { (number: Int) in
      let pairs = [
        "a": Int.random(in: 0..<5, using: &random) > 0 ? "1" : "2",
        Int.random(in: 0..<9, using: &random) == 0 ? "rare" : "b": "1",
      ]
      let created = Int64(number) * 1_000_000
      let appended = Int64.random(in: 1...12, using: &random) * 10_000_000
      return Row(
        id: SampleFile.id(number), number: Int64(number),
        project: Self.projects.randomElement(using: &random)!, pairs: pairs,
        microseconds: max(
          created, Int.random(in: 0..<3, using: &random) == 0 ? created : appended))
    }
  }

  private func file(_ rows: [Row]) throws -> SampleFile {
    let file = try SampleFile()
    var sql = "INSERT INTO projects (number, name) VALUES (2, 'other');"
    for row in rows {
      let (number, project) = (row.number, row.project.number)
      sql += SampleFile.conversations(Int(number)...Int(number), in: Int(project))
      for (key, value) in row.pairs {
        sql += """
          INSERT INTO metadata (project, conversation, key, value)
          VALUES (\(project), \(number), '\(key)', '\(value)');
          """
      }
      if row.microseconds > number * 1_000_000 {
        sql += """
          INSERT INTO items (conversation, project, id, type, created_at, fields)
          VALUES (\(number), \(project), 'x', 'message', \(row.microseconds / 1_000_000), '{}');
          """
      }
    }
    try file.execute(sql)
    return file
  }

  private func randomQuery(_ rows: [Row], _ random: inout SeededGenerator) throws
    -> ConversationQuery
  {
    func chance(_ many: Int) -> Bool { Int.random(in: 0..<many, using: &random) == 0 }
    func cursor() -> ConversationCursor {
      let row = rows.randomElement(using: &random)!
      if chance(3) {
        // Where a conversation was once, or never.
        return .activity(
          row.id, microseconds: Int64.random(in: 1...12, using: &random) * 10_000_000)
      }
      return .activity(row.id, microseconds: row.microseconds)
    }
    var query = ConversationQuery()
    query.orderBy = .lastActivity
    query.order = .allCases.randomElement(using: &random)!
    query.limit = chance(4) ? 100 : Int.random(in: 1...9, using: &random)
    if chance(3) { query.after = cursor() }
    if chance(3) { query.before = cursor() }
    if chance(5) { query.createdFrom = Int64.random(in: 0...90, using: &random) }
    if chance(5) { query.createdBefore = Int64.random(in: 0...100, using: &random) }
    let conditions = ["a=1", "a=2", "rare=1", "b=1", "+a", "+rare", "-b", "-rare", "none=1"]
    for _ in 0..<[0, 0, 1, 1, 2, 3].randomElement(using: &random)! {
      try query.add(conditions.randomElement(using: &random)!)
    }
    return query
  }

  private func answer(
    _ query: ConversationQuery, of project: ProjectID, from rows: [Row]
  ) -> (ids: [ConversationID], hasMore: Bool) {
    let isAscending = query.order == .ascending
    func comes(_ row: Row, after cursor: ConversationCursor?, _ isAfter: Bool) -> Bool {
      guard case .activity(let id, let microseconds) = cursor else { return true }
      let place = (microseconds, rows.first { $0.id == id }!.number)
      return isAfter == isAscending ? row.place > place : row.place < place
    }
    let found = rows.filter { row in
      row.project == project
        && query.conditions.allSatisfy {
          $0.isFulfilled(by: row.pairs.map { (key: $0.key, value: $0.value) })
        }
        && row.id.createdAt >= query.createdFrom ?? .min
        && row.id.createdAt < query.createdBefore ?? .max
        && comes(row, after: query.after, true) && comes(row, after: query.before, false)
    }
    .sorted { isAscending ? $0.place < $1.place : $0.place > $1.place }.map(\.id)
    let page = query.isBackwards ? found.suffix(query.limit) : found.prefix(query.limit)
    return (Array(page), found.count > query.limit)
  }

  @Test(arguments: 1...6 as ClosedRange<UInt64>)
  func `the reader answers what a plain list answers`(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let rows = rows(&random)
    let reader = try file(rows).reader()
    for _ in 0..<300 {
      let query = try randomQuery(rows, &random)
      let project = Self.projects.randomElement(using: &random)!
      let page = try reader.page(query, in: project) { false }
      let expected = answer(query, of: project, from: rows)
      try #require(page.conversations.map(\.id) == expected.ids, "\(query)")
      try #require(page.hasMore == expected.hasMore, "\(query)")
      for listed in page.listed {
        let row = try #require(rows.first { $0.id == listed.conversation.id })
        try #require(listed.activity?.lastMicroseconds == row.microseconds)
      }
    }
    #expect(reader.work.fullScanSteps == 0 && reader.work.sorts == 0)
  }

  @Test func `an id stands for its present place, in its project alone`() throws {
    var random = SeededGenerator(seed: 7)
    let rows = rows(&random)
    let reader = try file(rows).reader()
    let mine = rows.filter { $0.project == .default }.sorted { $0.place < $1.place }
    var query = ConversationQuery()
    query.orderBy = .lastActivity
    query.limit = 1
    for (place, row) in mine.enumerated() {
      (query.after, query.before) = (.conversation(row.id), nil)
      #expect(
        try reader.page(query).conversations.map(\.id) == (place > 0 ? [mine[place - 1].id] : []))
      (query.after, query.before) = (nil, .conversation(row.id))
      #expect(
        try reader.page(query).conversations.map(\.id)
          == (place + 1 < mine.count ? [mine[place + 1].id] : []))
    }
    let foreign = rows.first { $0.project != .default }!.id
    for id in [foreign, SampleFile.id(91)] {
      (query.after, query.before) = (.conversation(id), nil)
      #expect(throws: RepositoryError.cursorNotFound(.after, id)) { try reader.page(query) }
      (query.after, query.before) = (nil, .conversation(id))
      #expect(throws: RepositoryError.cursorNotFound(.before, id)) { try reader.page(query) }
    }
  }

  @Test func `what cannot be shown is named, whichever way it is found`() throws {
    let file = try SampleFile(conversationCount: 60)
    try file.execute(
      "UPDATE metadata SET value = CAST(x'ff' AS TEXT) WHERE key = 'color' AND conversation = 1")
    for (condition, count) in [("rare=1", 8), ("parity=even", 29)] {
      var query = try query(condition, limit: 100)
      query.orderBy = .lastActivity
      let page = try file.reader().page(query)
      #expect(page.conversations.count == count)
      #expect(page.unreadable == [SampleFile.id(1).description])
    }
  }

  // MARK: Work

  /// One range of one index each.
  @Test func `the order is that of an index`() throws {
    let file = try SampleFile()
    for (direction, sign) in [(WalkDirection.up, ">"), (.down, "<")] {
      let plans = [
        ActivityStream.sqlOfEqual(direction): "last_activity=? AND rowid\(sign)?",
        ActivityStream.sqlOfBeyond(direction): "last_activity\(sign)?",
      ]
      for (sql, terms) in plans {
        let explain = try file.connection().prepare("EXPLAIN QUERY PLAN \(sql)")
        var lines: [String] = []
        while try explain.step() { lines.append(explain.repairedText(3)) }
        #expect(
          lines
            == ["SEARCH activity USING COVERING INDEX activity_by_time (project=? AND \(terms))"])
      }
    }
  }

  /// Two files, the second with 25 times as many conversations, of which each had an append in the
  /// order of their creation, all of them at the same moment at last.
  private static let files = [200, 5000].map { (count: Int) in
    Result { () throws -> (count: Int, file: SampleFile) in
      let file = try SampleFile(conversationCount: count)
      try file.execute(
        """
        UPDATE activity SET last_activity = last_activity + 1000000000;
        UPDATE activity SET last_activity = 9000000000 WHERE conversation > \(count / 2);
        """)
      return (count, file)
    }
  }

  struct Shape: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let count: Int
    let query: @Sendable (Int) throws -> ConversationQuery
  }

  private static let shapes = [
    Shape(testDescription: "the newest", count: 20) { _ in try query() },
    Shape(testDescription: "the oldest", count: 20) { _ in try query(order: .ascending) },
    Shape(testDescription: "the largest page", count: 100) { _ in try query(limit: 100) },
    Shape(testDescription: "after one of many at the same moment", count: 20) {
      try query(after: SampleFile.id($0 * 3 / 4))
    },
    Shape(testDescription: "before one of many at the same moment", count: 20) {
      try query(order: .ascending, before: SampleFile.id($0 * 3 / 4))
    },
    Shape(testDescription: "after the middle", count: 20) {
      try query(after: SampleFile.id($0 / 4))
    },
    Shape(testDescription: "a rare pair", count: 8) { _ in try query("rare=1") },
    Shape(testDescription: "a rare and a common pair", count: 4) { _ in
      try query("rare=1", "parity=even")
    },
    Shape(testDescription: "a common pair", count: 20) { _ in try query("parity=even") },
    Shape(testDescription: "two common pairs", count: 20) { _ in try query("parity=even", "even=1")
    },
    Shape(testDescription: "a pair that nobody has", count: 0) { _ in try query("rare=none") },
    Shape(testDescription: "an absent key", count: 20) { _ in try query("-note") },
    Shape(testDescription: "a time range", count: 10) {
      try query(created: Int64($0 / 2)..<Int64($0 / 2 + 10))
    },
  ]

  @Test(arguments: shapes)
  func `a page costs the same in a small file and in a large one`(shape: Shape) throws {
    var instructions: [Int] = []
    for each in Self.files {
      let (count, file) = try each.get()
      var query = try shape.query(count)
      query.orderBy = .lastActivity
      let reader = try file.reader()
      let page = try reader.page(query)
      #expect(page.conversations.count == shape.count)
      #expect(page.hasMore == (shape.count == query.limit))
      #expect(reader.work.fullScanSteps == 0 && reader.work.sorts == 0)
      instructions.append(reader.work.instructions)
    }
    #expect(instructions[1] <= 8000)
    #expect(instructions[1] <= instructions[0] + instructions[0] / 5)
  }

  @Test func `a query that finds nothing ends when it is told to`() throws {
    let reader = try Self.files[1].get().file.reader()
    var hopeless = try query("parity=even", "odd=1")
    hopeless.orderBy = .lastActivity
    var asked = 0
    #expect(throws: RepositoryError.queryTimeout) {
      try reader.page(hopeless, in: .default) {
        asked += 1
        return asked == 100
      }
    }
    #expect(reader.work.instructions < 100 * 300)
    var rare = try query("rare=1")
    rare.orderBy = .lastActivity
    #expect(try reader.page(rare).conversations.count == 8)
  }
}
