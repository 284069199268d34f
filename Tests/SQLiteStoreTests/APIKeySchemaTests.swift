import SQLite
import Testing

@testable import SQLiteStore

/// API keys as the schema keeps them, from a connection that has foreign keys off.
@Suite struct APIKeySchemaTests {
  /// Keys 1 `active` and 3 `other` count, 2 `revoked` does not; all are of project 2. Project 3 has
  /// a revoked key alone, 4 a conversation, 5 nothing.
  private func file() throws -> SampleFile {
    let file = try SampleFile()
    try file.execute(
      "INSERT INTO projects (name) VALUES ('two'), ('three'), ('four'), ('five');"
        + SampleFile.conversations(1...1, in: 4)
        + insert(["number": "1", "name": "'active'", "hash": Self.hash(1)])
        + insert([
          "number": "2", "name": "'revoked'", "hash": Self.hash(2), "revoked_at": "20",
        ])
        + insert(["number": "3", "name": "'other'", "hash": Self.hash(3)])
        + insert([
          "number": "4", "name": "'last'", "hash": Self.hash(4), "revoked_at": "20",
          "project": "3",
        ]))
    return file
  }

  private static func hash(_ number: Int) -> String { "printf('%064x', \(number))" }

  /// SQL that adds a key whose columns are as given, or else legal.
  private func insert(_ columns: [String: String], or conflict: String = "") -> String {
    let legal = [
      "project": "2", "name": "'new'", "hash": Self.hash(99), "first_characters": "'sk-abcd'",
      "created_at": "10",
    ]
    let values = legal.merging(columns) { $1 }
    return """
      INSERT \(conflict) INTO api_keys (\(values.keys.joined(separator: ", ")))
      VALUES (\(values.values.joined(separator: ", ")));

      """
  }

  /// All keys, each with all its columns.
  private func keys(_ file: SampleFile) throws -> [String] {
    let rows = try file.connection().prepare(
      """
      SELECT number || '|' || project || '|' || name || '|' || hash || '|' || first_characters
        || '|' || is_read_only || '|' || is_admin || '|' || created_at || '|' || coalesce(expires_at, '-')
        || '|' || coalesce(last_used_at, '-') || '|' || coalesce(revoked_at, '-')
      FROM api_keys ORDER BY number
      """)
    var keys: [String] = []
    while try rows.step() { keys.append(rows.repairedText(0)) }
    return keys
  }

  private func expectRefused(_ sql: String, _ file: SampleFile) throws -> SQLiteError? {
    let before = try keys(file)
    let error = #expect(throws: SQLiteError.self) { try file.connection().execute(sql) }
    #expect(error?.kind == .constraint)
    #expect(try keys(file) == before)
    // And keys are made as before.
    try file.execute(insert(["name": "'next'", "hash": Self.hash(100)]))
    return error
  }

  @Test(arguments: [
    ("project", "6"), ("project", "0"), ("project", "NULL"),
    ("name", "''"), ("name", "NULL"), ("name", "x'61'"), ("name", "printf('%065d', 0)"),
    ("name", "char(0)"), ("name", "'a' || char(0) || 'b'"), ("name", "'active'"),
    ("hash", hash(1)), ("hash", hash(2)), ("hash", "NULL"),
    ("hash", "printf('%063x', 10)"), ("hash", "printf('%065x', 10)"),
    ("hash", "printf('%064X', 10)"), ("hash", "substr(printf('%064x', 10), 2) || 'g'"),
    ("hash", "printf('%064x', 10) || char(0) || 'a'"),
    ("first_characters", "'sk-abcdefgh'"), ("first_characters", "NULL"),
    ("first_characters", "'sk-' || char(0) || printf('%043d', 0)"),
    ("is_read_only", "2"), ("is_read_only", "-1"), ("is_read_only", "NULL"),
    ("is_read_only", "'yes'"), ("is_admin", "2"), ("is_admin", "-1"), ("is_admin", "NULL"),
    ("is_admin", "'yes'"), ("is_read_only, is_admin", "1, 1"), ("created_at", "NULL"),
    ("requests_per_minute", "-1"), ("requests_per_minute", "10000001"),
    ("requests_per_minute", "'many'"),
    ("created_at", "'now'"),
    ("expires_at", "'tomorrow'"), ("expires_at", "1.5"), ("last_used_at", "'now'"),
    ("revoked_at", "x'01'"), ("number", "1"), ("number", "2"), ("number", "0"), ("number", "-1"),
  ])
  func `a key that breaks a rule is refused`(column: String, value: String) throws {
    // OR REPLACE puts a column's default in the place of NULL.
    for conflict in value == "NULL" ? [""] : ["", "OR REPLACE"] {
      _ = try expectRefused(insert([column: value], or: conflict), file())
    }
  }

  @Test(arguments: [
    ("name", "'Active'"), ("name", "'revoked'"), ("name", "replace(printf('%064d', 0), '0', '😀')"),
    ("project", "1"), ("project", "5"), ("first_characters", "''"),
    ("first_characters", "'sk-abcdefg'"), ("is_read_only", "1"), ("is_admin", "1"),
    ("expires_at", "0"),
    ("expires_at", "4294967296"), ("last_used_at", "10"), ("revoked_at", "10"), ("number", "7"),
    ("hash", "'\(String(repeating: "0123456789abcdef", count: 4))'"),
  ])
  func `a key that keeps the rules is taken`(column: String, value: String) throws {
    let file = try file()
    try file.execute(insert([column: value]))
    #expect(try keys(file).count == 5)
    // A name that a revoked key has, and be it the same one, is free.
    try file.execute("UPDATE api_keys SET revoked_at = 30 WHERE revoked_at IS NULL")
    try file.execute(insert(["name": "'active'", "hash": Self.hash(98)]))
  }

  @Test(arguments: [
    "number = 9", "project = 1", "hash = printf('%064x', 9)", "first_characters = 'sk-'",
    "is_read_only = 1", "created_at = 11", "is_read_only = 0", "is_admin = 1", "is_admin = 0",
  ])
  func `who may do what never changes`(assignment: String) throws {
    for conflict in ["", "OR REPLACE", "OR IGNORE"] {
      let error = try expectRefused(
        "UPDATE \(conflict) api_keys SET \(assignment) WHERE number = 1", file())
      #expect(error?.message == "of a key only its name, its end and its last use change")
    }
  }

  @Test(arguments: [
    "name = 'renamed'", "name = 'revoked'", "expires_at = 30", "expires_at = NULL",
    "last_used_at = 40", "last_used_at = NULL", "revoked_at = 50",
  ])
  func `name, end and last use may change`(assignment: String) throws {
    let file = try file()
    try file.execute("UPDATE api_keys SET expires_at = 1, last_used_at = 1 WHERE number = 1")
    let before = try keys(file)
    try file.connection().execute("UPDATE api_keys SET \(assignment) WHERE number = 1")
    let after = try keys(file)
    #expect(after[0] != before[0])
    #expect(after.dropFirst() == before.dropFirst())
  }

  @Test(arguments: [
    "revoked_at = NULL", "revoked_at = 21", "revoked_at = 4294967296, name = 'x'",
    "name = 'x', revoked_at = NULL",
  ])
  func `a revoked key stays revoked`(assignment: String) throws {
    for conflict in ["", "OR REPLACE", "OR IGNORE"] {
      let error = try expectRefused(
        "UPDATE \(conflict) api_keys SET \(assignment) WHERE number = 2", file())
      #expect(error?.message == "a revoked key stays revoked")
    }
  }

  /// OR REPLACE would delete the key that has the name, without its delete trigger.
  @Test(arguments: ["", "OR REPLACE", "OR ROLLBACK", "OR FAIL"])
  func `a key is not given the name of another that counts`(conflict: String) throws {
    _ = try expectRefused(
      "UPDATE \(conflict) api_keys SET name = 'active' WHERE number = 3", file())
  }

  @Test(arguments: ["", "OR REPLACE"])
  func `a key may have the name of a key of another project`(conflict: String) throws {
    let file = try file()
    try file.execute(insert(["project": "3", "name": "'mine'"]))
    try file.execute("UPDATE \(conflict) api_keys SET name = 'active' WHERE name = 'mine'")
    #expect(try keys(file).count { $0.contains("|active|") } == 2)
  }

  @Test func `the keys of a project that count are a range of an index, in its order`() throws {
    let file = try file()
    let explain = try file.connection().prepare(
      "EXPLAIN QUERY PLAN \(QueryReader.selectKeysSQL)")
    var plan: [String] = []
    while try explain.step() { plan.append(explain.repairedText(3)) }
    #expect(
      plan.sorted() == [
        "SEARCH api_keys USING INDEX api_keys_by_name (project=?)",
        "SEARCH projects USING INTEGER PRIMARY KEY (rowid=?)",
      ])
  }

  @Test(arguments: [
    "DELETE FROM api_keys", "DELETE FROM api_keys WHERE number = 1",
    "DELETE FROM api_keys WHERE number = 2",
  ])
  func `a key is never deleted, revoked or not`(sql: String) throws {
    let error = try expectRefused(sql, file())
    #expect(error?.message == "a key is revoked, not deleted: set revoked_at")
  }

  @Test(arguments: [
    ("INSERT OR REPLACE", ["number": "1"]), ("INSERT OR REPLACE", ["name": "'active'"]),
    ("INSERT OR REPLACE", ["hash": hash(2)]), ("REPLACE", ["hash": hash(1)]),
    ("INSERT OR IGNORE", ["name": "'active'"]),
  ])
  func `a key is never replaced`(verb: String, columns: [String: String]) throws {
    let sql = insert(columns).replacing("INSERT", with: verb)
    #expect(
      try expectRefused(sql, file())?.message
        == "a key with this number or hash, or in this project with this name, exists")
    let upsert =
      insert(columns).split(separator: ";")[0] + " ON CONFLICT DO UPDATE SET expires_at = NULL"
    _ = try expectRefused(String(upsert), file())
  }

  @Test(arguments: [1, 2, 3, 4], ["OFF", "ON"])
  func `a project with keys or conversations, and the default one, stays`(
    project: Int, foreignKeys: String
  ) throws {
    let file = try file()
    let error = #expect(throws: SQLiteError.self) {
      try file.connection().execute(
        "PRAGMA foreign_keys = \(foreignKeys); DELETE FROM projects WHERE number = \(project)")
    }
    #expect(
      error?.message == "the default project, and one with conversations or keys, stays")
    #expect(try file.connection().integer("SELECT count(*) FROM projects") == 5)
  }

  /// OR REPLACE would delete the project that has the name, and leave what is in it to nobody.
  @Test(arguments: ["", "OR REPLACE", "OR IGNORE", "OR ROLLBACK", "OR FAIL"], ["OFF", "ON"])
  func `a project is not given the name of another`(conflict: String, foreignKeys: String) throws {
    for (number, name) in [(3, "default"), (3, "two"), (2, "three"), (5, "four"), (1, "five")] {
      let file = try file()
      let before = try projects(file)
      let error = try expectRefused(
        """
        PRAGMA foreign_keys = \(foreignKeys);
        UPDATE \(conflict) projects SET name = '\(name)' WHERE number = \(number)
        """, file)
      #expect(error?.message == "a project with this name exists")
      #expect(try projects(file) == before)
    }
  }

  @Test(arguments: ["", "OR REPLACE"])
  func `a project is renamed, or keeps its name`(conflict: String) throws {
    let file = try file()
    try file.execute(
      """
      UPDATE \(conflict) projects SET name = 'Two' WHERE number = 2;
      UPDATE \(conflict) projects SET name = name;
      UPDATE \(conflict) projects SET name = 'two' WHERE number = 5
      """)
    #expect(
      try projects(file) == ["1|default|0", "2|Two|0", "3|three|0", "4|four|1", "5|two|0"])
  }

  /// All projects, each with the number of its conversations.
  private func projects(_ file: SampleFile) throws -> [String] {
    let rows = try file.connection().prepare(
      """
      SELECT number || '|' || name || '|'
        || (SELECT count(*) FROM conversations WHERE project = projects.number)
      FROM projects ORDER BY number
      """)
    var projects: [String] = []
    while try rows.step() { projects.append(rows.repairedText(0)) }
    return projects
  }

  @Test func `a project with nothing goes`() throws {
    let file = try file()
    try file.execute("DELETE FROM projects WHERE number = 5; DELETE FROM conversations")
    try file.execute("DELETE FROM projects WHERE number = 4")
    #expect(try file.connection().integer("SELECT count(*) FROM projects") == 3)
  }

  @Test func `a key is looked up by the index of its hash alone`() throws {
    let file = try file()
    let explain = try file.connection().prepare(
      "EXPLAIN QUERY PLAN SELECT 1 FROM api_keys WHERE hash = 'a' AND revoked_at IS NULL")
    var plan: [String] = []
    while try explain.step() { plan.append(explain.repairedText(3)) }
    #expect(plan.count == 1)
    #expect(plan.first?.contains("USING INDEX sqlite_autoindex_api_keys_1 (hash=?)") == true)
  }
}
