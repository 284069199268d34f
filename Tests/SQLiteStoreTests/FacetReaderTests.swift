import Conversations
import Repository
import SQLite
import Testing

@testable import SQLiteStore

@Suite struct FacetReaderTests {
  private func facets(
    _ query: FacetQuery, on file: SampleFile, in project: ProjectID = .default
  ) throws -> FacetPage {
    try file.reader().facets(query, in: project) { false }
  }

  private func facetQuery(
    _ field: FacetQuery.Field = .keys, prefix: String = "", after: String? = nil, limit: Int = 20,
    countLimit: Int = 0
  ) -> FacetQuery {
    var query = FacetQuery(field)
    query.prefix = prefix
    query.after = after
    query.limit = limit
    query.countLimit = countLimit
    return query
  }

  // MARK: Plans

  private func plan(_ sql: String, on file: SampleFile) throws -> [String] {
    let explain = try file.connection().prepare("EXPLAIN QUERY PLAN \(sql)")
    var lines: [String] = []
    while try explain.step() { lines.append(explain.repairedText(3)) }
    return lines
  }

  @Test(arguments: [
    (FacetReader.selectKeySQL, "metadata_by_key", "project=? AND (key,conversation)>(?,?)"),
    (
      FacetReader.selectValueSQL, "metadata_by_pair",
      "project=? AND key=? AND (value,conversation)>(?,?)"
    ),
  ])
  func `a facet is one entry into one index`(sql: String, index: String, terms: String) throws {
    let file = try SampleFile()
    #expect(
      try plan(sql, on: file) == ["SEARCH metadata USING COVERING INDEX \(index) (\(terms))"])
    try file.execute("DROP INDEX \(index)")
    #expect(throws: SQLiteError.self) { try file.connection().execute("EXPLAIN " + sql) }
  }

  // MARK: What is found

  /// Texts whose order and equality as bytes differ from what Swift says of strings.
  private static let texts = [
    "", "\u{1}", " ", "A", "a", "a\u{1}", "a ", "aa", "ab", "b", "e", "e\u{301}", "z", "é", "éa",
    "\u{FFFD}", "\u{10000}", "😀", "😀🏽", "\u{10FFFF}",
  ]

  @Test func `a page is what stands in the table, in the order of code points`() throws {
    let file = try SampleFile()
    let connection = try file.connection()
    try connection.execute(SampleFile.conversations(1...Self.texts.count))
    let insert = try connection.prepare(
      "INSERT INTO metadata (conversation, key, value) VALUES (:c, :key, :value)")
    for (index, text) in Self.texts.shuffled().enumerated() {
      for (key, value) in [(text, "1"), ("values of one key", text)] {
        insert.bind(":c", Int64(index + 1))
        try insert.bind(":key", key)
        try insert.bind(":value", value)
        try insert.run()
      }
    }
    let sorted = Self.texts.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    let reader = try file.reader()
    for field in [FacetQuery.Field.values(key: "values of one key"), .keys] {
      var all = sorted
      if case .keys = field {
        all.insert("values of one key", at: all.firstIndex(of: "z")!)
      }
      for prefix in ["", "a", "e", "é", "😀", "x"] {
        for after in [nil] + all.map(Optional.some) {
          for limit in [1, 3, 100] {
            let expected = all.filter { text in
              text.utf8.starts(with: prefix.utf8)
                && after.map { $0.utf8.lexicographicallyPrecedes(text.utf8) } ?? true
            }
            let page = try reader.facets(
              facetQuery(field, prefix: prefix, after: after, limit: limit), in: .default
            ) { false }
            try #require(
              page.facets.map { Array($0.text.utf8) }
                == expected.prefix(limit).map { Array($0.utf8) })
            try #require(page.hasMore == (expected.count > limit))
          }
        }
      }
    }
  }

  @Test func `counts are those of the conversations, up to a limit`() throws {
    let file = try SampleFile(conversationCount: 200)
    func counts(_ query: FacetQuery) throws -> [String: ConversationCount?] {
      Dictionary(
        uniqueKeysWithValues: try facets(query, on: file).facets.map { ($0.text, $0.count) })
    }
    #expect(
      try counts(facetQuery(countLimit: 100)) == [
        "color": ConversationCount(100, isExact: false),
        "even": ConversationCount(100, isExact: true),
        "note": ConversationCount(67, isExact: true), "odd": ConversationCount(100, isExact: true),
        "parity": ConversationCount(100, isExact: false),
        "rare": ConversationCount(8, isExact: true),
      ])
    let colors = try counts(facetQuery(.values(key: "color"), countLimit: 19))
    #expect(colors.count == 10)
    #expect(colors.values.allSatisfy { $0 == ConversationCount(19, isExact: false) })
    #expect(try counts(facetQuery(.values(key: "rare"))) == ["1": nil])
  }

  @Test func `what no metadata can have is left out, whatever comes after it is found`() throws {
    let file = try SampleFile()
    try file.execute(
      SampleFile.conversations(1...4)
        + """
        INSERT INTO metadata (conversation, key, value) VALUES
          (1, 'a', '1'), (1, CAST(x'61ff' AS TEXT), '1'), (1, CAST(x'61c3' AS TEXT), '1'),
          (2, 'b', '1'), (2, 'c', CAST(x'ff' AS TEXT)), (3, 'c', '2');
        """)
    let page = try facets(facetQuery(countLimit: 5), on: file)
    #expect(page.facets.map(\.text) == ["a", "b", "c"])
    #expect(page.unreadableCount == 2)
    let values = try facets(facetQuery(.values(key: "c")), on: file)
    #expect(values.facets.map(\.text) == ["2"])
    #expect(values.unreadableCount == 1)
    #expect(try facets(facetQuery(prefix: "b"), on: file).unreadableCount == 0)
  }

  @Test func `a page and its counts are of one moment`() throws {
    let file = try SampleFile(conversationCount: 40)
    let writer = try file.connection()
    var asked = 0
    let page = try file.reader().facets(facetQuery(countLimit: 1000), in: .default) {
      asked += 1
      if asked == 10 { #expect((try? writer.execute("DELETE FROM conversations")) != nil) }
      return false
    }
    #expect(page.facets.map(\.text) == ["color", "even", "note", "odd", "parity", "rare"])
    #expect(page.facets.map { $0.count?.value } == [40, 20, 14, 20, 40, 8])
    #expect(try facets(facetQuery(), on: file).facets.isEmpty)
  }

  // MARK: The deadline

  @Test func `counts that the deadline comes before are left out`() throws {
    let file = try SampleFile(conversationCount: 200)
    let reader = try file.reader()
    // Seven looks for the six keys, 200 for the conversations of the first, 100 for the second's.
    for (deadline, counted) in [
      (8, 0), (100, 0), (207, 0), (208, 1), (250, 1), (320, 2), (9999, 6),
    ] {
      var asked = 0
      let page = try reader.facets(facetQuery(countLimit: 1000), in: .default) {
        asked += 1
        return asked >= deadline
      }
      #expect(page.facets.count == 6, "\(deadline)")
      let isCounted = page.facets.map { $0.count != nil }
      #expect(isCounted == (0..<6).map { $0 < counted }, "\(deadline)")
      #expect(page.facets.allSatisfy { $0.count?.isExact ?? true })
    }
    for deadline in 1...7 {
      var asked = 0
      #expect(throws: RepositoryError.queryTimeout) {
        try reader.facets(facetQuery(), in: .default) {
          asked += 1
          return asked == deadline
        }
      }
    }
    // The reader goes on.
    #expect(try reader.facets(facetQuery(), in: .default) { false }.facets.count == 6)
  }

  @Test func `a count at the deadline is what was counted so far`() throws {
    let reader = try SampleFile(conversationCount: 200).reader()
    for (deadline, limit, expected) in [
      (1, 1000, ConversationCount(0, isExact: false)),
      (51, 1000, ConversationCount(50, isExact: false)),
      (1000, 1000, ConversationCount(200, isExact: true)),
      (1000, 200, ConversationCount(200, isExact: true)),
      (1000, 199, ConversationCount(199, isExact: false)),
      (1000, 1, ConversationCount(1, isExact: false)),
    ] {
      var asked = 0
      let count = try reader.count(ConversationQuery(), upTo: limit, in: .default) {
        asked += 1
        return asked >= deadline
      }
      #expect(count == expected)
    }
  }

  @Test func `a count has the conditions and the times of its query`() throws {
    let reader = try SampleFile(conversationCount: 200).reader()
    for (query, expected) in [
      (try query("parity=even"), 100),
      (try query("+note", "-even"), 33),
      (try query("color=c1", "color=c2"), 40),
      (try query("rare=1", created: 100..<201), 4),
      (try query(created: 5..<5), 0), (try query("parity=none"), 0),
    ] {
      let count = try reader.count(query, upTo: 1000, in: .default) { false }
      #expect(count == ConversationCount(expected, isExact: true))
    }
  }
}
