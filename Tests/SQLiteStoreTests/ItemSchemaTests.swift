import SQLite
import Testing

@testable import SQLiteStore

/// Items as the schema keeps them, from a connection that has foreign keys off.
@Suite struct ItemSchemaTests {
  /// Conversation 1 is of the default project and 2 of another; each has an item.
  private func file() throws -> SampleFile {
    let file = try SampleFile()
    try file.execute(
      "INSERT INTO projects (number, name) VALUES (2, 'other');"
        + SampleFile.conversations(1...1) + SampleFile.conversations(2...2, in: 2)
        + insert(["id": "'known'"])
        + insert(["id": "'known'", "project": "2", "conversation": "2"]))
    return file
  }

  /// SQL that adds an item whose columns are as given, or else legal.
  private func insert(_ columns: [String: String]) -> String {
    let legal = [
      "project": "1", "conversation": "1", "id": "'new'", "type": "'message'", "created_at": "1",
      "fields": "'{}'",
    ]
    let values = legal.merging(columns) { $1 }
    return """
      INSERT INTO items (\(values.keys.joined(separator: ", ")))
      VALUES (\(values.values.joined(separator: ", ")));

      """
  }

  @Test(arguments: [
    ("id", "''"), ("id", "NULL"), ("id", "'a b'"), ("id", "'é'"), ("id", "printf('%065d', 0)"),
    ("id", "'a' || char(0)"), ("id", "'known'"), ("type", "''"), ("type", "'A'"),
    ("type", "printf('%065d', 0)"), ("created_at", "-1"), ("created_at", "4294967296"),
    ("fields", "'[]'"), ("fields", "'{'"), ("fields", "NULL"), ("fields", "' {}'"),
    ("conversation", "3"), ("conversation", "2"), ("project", "2"), ("project", "3"),
    ("number", "1"), ("number", "-1"), ("number", "9000000000"),
  ])
  func `an item that breaks a rule is refused`(column: String, value: String) throws {
    let file = try file()
    let error = #expect(throws: SQLiteError.self) {
      try file.connection().execute(insert([column: value]))
    }
    #expect(error?.kind == .constraint)
    #expect(try file.connection().integer("SELECT count(*) FROM items") == 2)
  }

  @Test func `an item never changes, and goes with its conversation`() throws {
    let file = try file()
    let connection = try file.connection()
    #expect(throws: SQLiteError.self) { try connection.execute("UPDATE items SET type = 'a'") }
    try connection.execute("DELETE FROM conversations WHERE number = 1")
    #expect(try connection.integer("SELECT sum(conversation) FROM items") == 2)
  }

}
