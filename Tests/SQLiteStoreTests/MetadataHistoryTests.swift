import Conversations
import Repository
import SQLite
import TestSupport
import Testing

@testable import SQLiteStore

/// The history of metadata in the file: what the schema refuses, what a person reads, and what happens
/// when a set cannot be kept.
@Suite struct MetadataHistoryTests {
  /// SQL that inserts a version whose columns are as given, or else legal.
  private func insert(_ columns: [String: String]) -> String {
    let legal = [
      "conversation": "1", "version": "9", "metadata": "'{}'", "replaced_by": "NULL",
      "request_id": "'req_1'",
    ]
    let values = legal.merging(columns) { $1 }
    return """
      INSERT OR REPLACE INTO metadata_history (\(values.keys.joined(separator: ", ")))
      VALUES (\(values.values.joined(separator: ", ")))
      """
  }

  @Test func `the schema refuses what breaks a rule, and deletes with the conversation`() throws {
    let file = try SampleFile()
    try file.execute(SampleFile.conversations(1...2))
    try file.execute(insert([:]))
    try file.execute(insert(["version": "10", "metadata": #"'{"a":"1"}'"#, "replaced_by": "'k'"]))
    try file.execute(insert(["conversation": "2", "version": "0"]))
    for (column, value) in [
      ("conversation", "3"), ("conversation", "NULL"), ("version", "10"), ("version", "9"),
      ("version", "9007199254740992"), ("version", "NULL"), ("metadata", "'[]'"),
      ("metadata", "'x'"), ("metadata", "NULL"), ("metadata", "x'7b7d'"), ("replaced_by", "''"),
      ("request_id", "''"), ("request_id", "NULL"),
    ] {
      let sql = insert(["version": "11"].merging([column: value]) { $1 })
      let error = #expect(throws: SQLiteError.self, "\(column) \(value)") {
        try file.execute(sql)
      }
      #expect(error?.kind == .constraint, "\(column) \(value)")
    }
    #expect(throws: SQLiteError.self) {
      try file.execute("UPDATE metadata_history SET version = 12")
    }
    try file.execute("DELETE FROM conversations WHERE number = 1")
    #expect(try file.connection().integer("SELECT count(*) FROM metadata_history") == 1)
  }

  @Test func `a page costs the same at every place`() throws {
    let file = try SampleFile()
    try file.execute(
      SampleFile.conversations(1...1) + """
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
        INSERT INTO metadata_history (conversation, version, metadata, request_id)
        SELECT 1, i, '{"a":"1"}', 'r' FROM n
        """)
    let reader = try file.reader()
    func instructions(after: Int64, _ order: ConversationQuery.Order) throws -> Int {
      var query = MetadataHistoryQuery()
      query.limit = 10
      query.order = order
      query.after = after
      let before = reader.historyPages.work.instructions
      let page = try reader.metadataHistory(query, of: SampleFile.id(1), in: .default) { false }
      #expect(page.versions.count == 10 && page.hasMore)
      return reader.historyPages.work.instructions - before
    }
    for order in ConversationQuery.Order.allCases {
      #expect(try instructions(after: 20, order) == instructions(after: 980, order))
    }
  }

  @Test func `a person sees what was changed`() async throws {
    let test = try TestRepository(settings: .init(metadataHistoryDays: 1))
    let id = try await test.create(["a": "1"]).id
    try await test.replace(id, ["a": "2"])
    try await test.replace(id, ["b": "\"é\""])
    let outsider = try test.outsider()
    let rows = try outsider.prepare(
      "SELECT before, after, changed_by IS NULL, request_id, changed_at FROM metadata_changes")
    var seen: [String] = []
    while try rows.step() { seen.append("\(rows.text(0)!) \(rows.text(1)!)") }
    #expect(seen == [#"{"a":"1"} {"a":"2"}"#, #"{"a":"2"} {"b":"\"é\""}"#])
  }

  @Test func `a change whose former set cannot be kept is undone, and others are stored`()
    async throws
  {
    let test = try TestRepository(settings: .init(metadataHistoryDays: 1))
    let known = try await test.create(["a": "1"])
    let other = try await test.create(["a": "1"])
    // It is refused behind its insertion, so that something is there to undo.
    try test.execute(
      """
      CREATE TRIGGER boom AFTER INSERT ON metadata_history
      WHEN NEW.conversation = (SELECT min(number) FROM conversations)
      BEGIN SELECT RAISE(FAIL, 'boom'); END
      """)
    async let first = repositoryError { try await test.replace(known.id, ["a": "2", "b": "2"]) }
    async let second = repositoryError { try await test.replace(other.id, ["a": "2"]) }
    guard case .storage(let cause) = await first else {
      Issue.record("it was stored")
      return
    }
    #expect(cause.kind == .constraint)
    #expect(await second == nil)
    #expect(try test.read(known.id) == metadata(["a": "1"]))
    #expect(try test.read(other.id) == metadata(["a": "2"]))
    #expect(try test.count("metadata_history") == 1)
  }

  @Test func `where none are kept no statement looks at them`() async throws {
    let test = try TestRepository()
    let id = try await test.create(["a": "1"]).id
    try test.execute(
      """
      CREATE TRIGGER boom BEFORE INSERT ON metadata_history
      BEGIN SELECT RAISE(ABORT, 'boom'); END
      """)
    try await test.replace(id, ["a": "2"])
    #expect(try test.read(id) == metadata(["a": "2"]))
    try test.execute("DROP TRIGGER boom; \(insert(["version": "0"]))")
    try await test.repository.forgetOldMetadata()
    #expect(try test.count("metadata_history") == 1)
  }

  @Test func `a former set that cannot be shown is left out, and is not restored`() async throws {
    let test = try TestRepository(settings: .init(metadataHistoryDays: 1))
    let id = try await test.create(["a": "1"]).id
    try await test.replace(id, ["a": "2"])
    try test.execute(
      """
      PRAGMA ignore_check_constraints = ON;
      INSERT INTO metadata_history (conversation, version, metadata, request_id)
      SELECT conversation, version + 1, '{"a":1}', 'r' FROM metadata_history
      UNION ALL SELECT conversation, version + 2, 'x', 'r' FROM metadata_history
      UNION ALL SELECT conversation, version + 3, CAST(x'7b2261223a22ff227d' AS TEXT), 'r'
      FROM metadata_history
      """)
    let page = try await test.repository.metadataHistory(
      MetadataHistoryQuery(), of: id, in: .default)
    #expect(page.versions.count == 1 && page.unreadableCount == 3)
    for number in 1...3 {
      let version = page.versions[0].number + Int64(number)
      #expect(
        await repositoryError {
          _ = try await test.repository.restoreMetadata(
            version, of: id, in: .default, if: .none, for: .test)
        } == .metadataVersion(.unreadable))
    }
    #expect(try test.read(id) == metadata(["a": "2"]))
  }
}
