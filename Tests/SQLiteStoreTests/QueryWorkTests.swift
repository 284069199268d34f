import Conversations
import Repository
import SQLite
import Testing

@testable import SQLiteStore

/// How much SQLite does for a page, counted by SQLite itself, on a small file and on one that has
/// 25 times as much of everything but `rare`.
@Suite struct QueryWorkTests {
  private static let sizes = [200, 5000]
  /// The largest page takes about 4,400; to walk through the larger file, 5 for each conversation.
  private static let instructionsMax = 5000

  struct Shape: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// How many conversations the page has.
    let count: Int
    /// The query for a file of this many conversations.
    let query: @Sendable (Int) throws -> ConversationQuery

    init(
      _ name: String, _ count: Int = 20,
      _ query: @escaping @Sendable (Int) throws -> ConversationQuery
    ) {
      testDescription = name
      self.count = count
      self.query = query
    }
  }

  private static let shapes = [
    Shape("unfiltered") { _ in try query() },
    Shape("unfiltered, oldest first") { _ in try query(order: .ascending) },
    Shape("after the middle") { try query(after: SampleFile.id($0 / 2)) },
    Shape("after the middle, oldest first") {
      try query(order: .ascending, after: SampleFile.id($0 / 2))
    },
    Shape("before the middle") { try query(before: SampleFile.id($0 / 2)) },
    Shape("before the middle, oldest first") {
      try query(order: .ascending, before: SampleFile.id($0 / 2))
    },
    Shape("between two cursors", 9) {
      try query(after: SampleFile.id($0 / 2), before: SampleFile.id($0 / 2 - 10))
    },
    Shape("the largest page", 100) { _ in try query(limit: 100) },
    Shape("a time range", 10) { try query(created: Int64($0 / 2)..<Int64($0 / 2 + 10)) },
    Shape("an open time range") { try query(created: Int64($0 / 2)..<Int64.max) },
    Shape("an empty time range", 0) { try query(created: Int64($0 * 2)..<Int64($0 * 3)) },
    Shape("a rare pair", 8) { _ in try query("rare=1") },
    Shape("a common pair") { _ in try query("parity=even") },
    Shape("a pair that nobody has", 0) { _ in try query("parity=none") },
    Shape("a common pair in a time range", 5) {
      try query("parity=even", created: Int64($0 / 2)..<Int64($0 / 2 + 10))
    },
    Shape("a rare pair in a time range", 4) {
      try query("rare=1", created: Int64($0 / 2)..<Int64($0))
    },
    Shape("a common pair after the middle") {
      try query("parity=even", after: SampleFile.id($0 / 2))
    },
    Shape("two common pairs") { _ in try query("parity=even", "even=1") },
    Shape("two common pairs, in the other order") { _ in try query("even=1", "parity=even") },
    Shape("a common and a rare pair", 4) { _ in try query("parity=even", "rare=1") },
    Shape("a rare and a common pair", 4) { _ in try query("rare=1", "parity=even") },
    Shape("a common pair and one that nobody has", 0) { _ in
      try query("parity=even", "rare=none")
    },
    Shape("a pair that nobody has and a common one", 0) { _ in
      try query("rare=none", "parity=even")
    },
    Shape("a rare pair, a common one and a key", 2) { _ in
      try query("+note", "parity=even", "rare=1")
    },
    Shape("any of three values") { _ in try query("color=c1", "color=c2", "color=c3") },
    Shape("any of three values, of which nobody has one") { _ in
      try query("color=none", "color=c1", "color=c2")
    },
    Shape("a key") { _ in try query("+note") },
    Shape("a rare key", 8) { _ in try query("+rare") },
    Shape("a key that nobody has", 0) { _ in try query("+none") },
    Shape("a key and another's absence") { _ in try query("+even", "-note") },
    Shape("a pair and a key's absence") { _ in try query("parity=odd", "-note") },
    Shape("absence of a common key") { _ in try query("-note") },
    Shape("absence of a key that nobody has") { _ in try query("-none") },
  ]

  private func work(
    _ query: ConversationQuery, on file: SampleFile, in project: ProjectID = .default
  ) throws -> (page: ConversationPage, work: StatementWork) {
    let reader = try file.reader()
    let page = try reader.page(query, in: project) { false }
    return (page, reader.work)
  }

  /// Made once for all shapes: the larger one takes a moment.
  private static let files = sizes.map { size in
    Result { try SampleFile(conversationCount: size) }
  }

  @Test(arguments: shapes)
  func `a page costs the same in a small file and in a large one`(shape: Shape) throws {
    var instructions: [Int] = []
    for (size, file) in zip(Self.sizes, Self.files) {
      let query = try shape.query(size)
      let (page, work) = try work(query, on: file.get())
      #expect(page.conversations.count == shape.count)
      #expect(page.hasMore == (shape.count == query.limit))
      #expect(page.unreadable.isEmpty)
      #expect(work.fullScanSteps == 0)
      #expect(work.sorts == 0)
      #expect(work.automaticIndexRows == 0)
      instructions.append(work.instructions)
    }
    #expect(instructions[1] <= Self.instructionsMax)
    // Where a walk enters an index anew depends on the gaps between the numbers.
    #expect(instructions[1] <= instructions[0] + instructions[0] / 10)
  }

  @Test func `two common pairs that never meet cost more with each conversation`() throws {
    let never = try query("parity=even", "odd=1")
    let instructions = try Self.files.map { file in
      let (page, work) = try work(never, on: file.get())
      #expect(page.conversations.isEmpty && !page.hasMore)
      #expect(work.fullScanSteps == 0)
      return work.instructions
    }
    // Linear and not worse: 25 times the conversations.
    #expect((20...30).contains(instructions[1] / instructions[0]))
  }

  @Test(arguments: [["parity=even", "odd=1"], ["-parity"], ["color=none", "color=c1", "even=1"]])
  func `a query that finds nothing ends when it is told to`(conditions: [String]) throws {
    let reader = try Self.files[1].get().reader()
    var hopeless = try query()
    for condition in conditions { try hopeless.add(condition) }
    var asked = 0
    #expect(throws: RepositoryError.queryTimeout) {
      try reader.page(hopeless, in: .default) {
        asked += 1
        return asked == 100
      }
    }
    #expect(asked == 100)
    // It is asked so often that little is done between two times.
    #expect(reader.work.instructions < 100 * 200)
    // The reader goes on, with a new snapshot and streams that begin anew.
    #expect(try reader.page(query("rare=1")).conversations.count == 8)
  }

  // MARK: Projects

  private static let mine = ProjectID(number: 2)

  /// A project of 50, alone, or among 5,000 conversations of another that have the same pairs.
  private static func smallProject(besideAnother: Bool) throws -> SampleFile {
    let file = try SampleFile()
    let step = besideAnother ? 100 : 1
    var sql = "INSERT INTO projects (number, name) VALUES (2, 'small');"
    for place in 1...50 {
      let number = place * step
      if besideAnother { sql += SampleFile.conversations((number - 99)...(number - 1)) }
      sql += SampleFile.conversations(number...number, in: 2)
    }
    try file.execute(sql + SampleFile.pairs(in: 1) + SampleFile.pairs(in: 2))
    return file
  }

  private static let projectFiles = [false, true].map { besideAnother in
    Result { try smallProject(besideAnother: besideAnother) }
  }

  @Test(arguments: [
    [], ["rare=1"], ["parity=even"], ["parity=even", "even=1"], ["parity=even", "rare=1"],
    ["rare=1", "parity=even"], ["color=c1", "color=c2", "color=none"], ["+note"],
    ["+note", "-even"], ["-note"], ["parity=even", "odd=1"],
  ])
  func `another project's conversations are not seen and cost nothing`(
    conditions: [String]
  ) throws {
    for order in ConversationQuery.Order.allCases {
      for place in [nil, 25] {
        let both = try [(1, Self.projectFiles[0]), (100, Self.projectFiles[1])].map { step, file in
          var query = try query(order: order, after: place.map { SampleFile.id($0 * step) })
          for condition in conditions { try query.add(condition) }
          let (page, work) = try work(query, on: file.get(), in: Self.mine)
          // The second of a conversation is its number.
          return (seconds: page.conversations.map { $0.createdAt / Int64(step) }, work: work)
        }
        #expect(both[0].seconds == both[1].seconds)
        #expect(both[0].work.runs == both[1].work.runs)
        #expect(both[1].work.fullScanSteps == 0)
        // A range ends at a row of the other project, or where the index ends.
        #expect(abs(both[0].work.instructions - both[1].work.instructions) <= 5)
      }
    }
  }

  // MARK: Facets and counts

  private static let facetQueries: [(field: FacetQuery.Field, count: Int)] = [
    (.keys, 6), (.values(key: "parity"), 2), (.values(key: "color"), 10),
    (.values(key: "note"), 20), (.values(key: "none"), 0),
  ]

  @Test(arguments: facetQueries.indices, [0, 10])
  func `a page of facets costs the same in a small file and in a large one`(
    index: Int, countLimit: Int
  ) throws {
    let (field, count) = Self.facetQueries[index]
    var query = FacetQuery(field)
    query.limit = 20
    query.countLimit = countLimit
    let instructions = try Self.files.map { file in
      let reader = try file.get().reader()
      let page = try reader.facets(query, in: .default) { false }
      #expect(page.facets.count == count)
      #expect(reader.work.fullScanSteps == 0)
      #expect(reader.work.sorts == 0)
      #expect(reader.work.automaticIndexRows == 0)
      return reader.work.instructions
    }
    #expect(instructions[1] <= Self.instructionsMax)
    #expect(instructions[1] <= instructions[0] + instructions[0] / 10)
  }

  @Test(arguments: [[], ["parity=even"], ["+note"], ["rare=1"], ["parity=even", "+note"]])
  func `a count that stops costs the same in a small file and in a large one`(
    conditions: [String]
  ) throws {
    var query = ConversationQuery()
    for condition in conditions { try query.add(condition) }
    let instructions = try Self.files.map { file in
      let reader = try file.get().reader()
      let count = try reader.count(query, upTo: 5, in: .default) { false }
      #expect(count == ConversationCount(5, isExact: false))
      #expect(reader.work.fullScanSteps == 0)
      return reader.work.instructions
    }
    #expect(instructions[1] <= Self.instructionsMax)
    #expect(instructions[1] <= instructions[0] + instructions[0] / 10)
  }

  @Test(arguments: facetQueries.indices)
  func `another project's facets are not seen and cost nothing`(index: Int) throws {
    var query = FacetQuery(Self.facetQueries[index].field)
    query.countLimit = 10
    let both = try Self.projectFiles.map { file in
      let reader = try file.get().reader()
      let page = try reader.facets(query, in: Self.mine) { false }
      return (facets: page.facets, work: reader.work)
    }
    #expect(both[0].facets == both[1].facets)
    #expect(both[0].work.runs == both[1].work.runs)
    #expect(both[1].work.fullScanSteps == 0)
    // Each range ends at a row of the other project, or where the index ends.
    #expect(abs(both[0].work.instructions - both[1].work.instructions) <= 5 * 25)
  }
}
