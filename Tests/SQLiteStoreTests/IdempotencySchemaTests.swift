import SQLite
import Testing

@testable import SQLiteStore

/// The records of idempotency keys as the schema keeps them, from a connection that has foreign keys
/// off.
@Suite struct IdempotencySchemaTests {
  /// Conversation 1 is of the default project and 2 of another; each has a record.
  private func file() throws -> SampleFile {
    let file = try SampleFile()
    try file.execute(
      "INSERT INTO projects (number, name) VALUES (2, 'other');"
        + SampleFile.conversations(1...1) + SampleFile.conversations(2...2, in: 2)
        + insert(["key": "'known'"])
        + insert(["key": "'known'", "project": "2", "conversation": "2"]))
    return file
  }

  /// SQL that adds a record whose columns are as given, or else legal.
  private func insert(_ columns: [String: String]) -> String {
    let legal = [
      "project": "1", "key": "'new'", "request_hash": "printf('%064x', 10)", "conversation": "1",
      "answer": "'{}'", "content_hash": "printf('%032x', 10)", "created_at": "1",
    ]
    let values = legal.merging(columns) { $1 }
    return """
      INSERT INTO idempotency_keys (\(values.keys.joined(separator: ", ")))
      VALUES (\(values.values.joined(separator: ", ")));

      """
  }

  @Test(arguments: [
    ("key", "''"), ("key", "NULL"), ("key", "' '"), ("key", "'a b'"), ("key", "'é'"),
    ("key", "char(10)"), ("key", "char(31)"), ("key", "char(127)"), ("key", "char(128)"),
    ("key", "x'61'"), ("key", "printf('%0256d', 0)"), ("key", "char(0)"),
    ("key", "'a' || char(0) || 'b'"), ("key", "'known'"),
    ("request_hash", "printf('%063x', 10)"), ("request_hash", "printf('%065x', 10)"),
    ("request_hash", "printf('%064X', 10)"), ("request_hash", "NULL"),
    ("request_hash", "printf('%064x', 10) || char(0) || 'a'"),
    ("content_hash", "printf('%031x', 10)"), ("content_hash", "printf('%033x', 10)"),
    ("content_hash", "printf('%032X', 10)"), ("content_hash", "NULL"),
    ("content_hash", "printf('%032x', 10) || char(0) || 'a'"),
    ("answer", "NULL"), ("answer", "x'61'"), ("created_at", "NULL"), ("created_at", "'now'"),
    ("conversation", "3"), ("conversation", "2"), ("conversation", "NULL"),
    ("project", "2"), ("project", "3"), ("project", "NULL"),
  ])
  func `a record that breaks a rule is refused`(column: String, value: String) throws {
    let file = try file()
    let error = #expect(throws: SQLiteError.self) {
      try file.connection().execute(insert([column: value]))
    }
    #expect(error?.kind == .constraint)
    #expect(try file.connection().integer("SELECT count(*) FROM idempotency_keys") == 2)
  }

  @Test(arguments: [
    ("key", "'!'"), ("key", "'~'"), ("key", "']^-[*?'"), ("key", "'KNOWN'"),
    ("key", "printf('%0255d', 0)"), ("answer", "''"), ("created_at", "4294967296"),
    ("request_hash", "'\(String(repeating: "0123456789abcdef", count: 4))'"),
    ("content_hash", "'\(String(repeating: "0123456789abcdef", count: 2))'"),
  ])
  func `a record that keeps the rules is taken`(column: String, value: String) throws {
    let file = try file()
    try file.execute(insert([column: value]))
    #expect(try file.connection().integer("SELECT count(*) FROM idempotency_keys") == 3)
  }

  @Test(arguments: [
    "project = 2", "key = 'new'", "request_hash = printf('%064x', 11)", "conversation = 2",
    "answer = 'other'", "content_hash = printf('%032x', 11)", "created_at = 2",
  ])
  func `a record never changes`(assignment: String) throws {
    let file = try file()
    let error = #expect(throws: SQLiteError.self) {
      try file.connection().execute("UPDATE idempotency_keys SET \(assignment) WHERE project = 1")
    }
    #expect(error?.message == "a record of an idempotency key never changes")
  }

  @Test func `a record goes with its conversation, and only that one`() throws {
    let file = try file()
    try file.execute(insert([:]))
    try file.connection().execute("DELETE FROM conversations WHERE number = 1")
    #expect(try file.connection().integer("SELECT count(*) FROM idempotency_keys") == 1)
    #expect(try file.connection().integer("SELECT conversation FROM idempotency_keys") == 2)
  }

  @Test func `the statements that look for a conversation's record use its index`() throws {
    let file = try file()
    let explain = try file.connection().prepare(
      "EXPLAIN QUERY PLAN SELECT 1 FROM idempotency_keys WHERE conversation = 1")
    var plan: [String] = []
    while try explain.step() { plan.append(explain.repairedText(3)) }
    #expect(plan.count == 1)
    #expect(plan.first?.contains("INDEX idempotency_keys_by_conversation (conversation=?)") == true)
  }
}
