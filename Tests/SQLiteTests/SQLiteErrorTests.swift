import SQLite
import TestSupport
import Testing

@Suite struct SQLiteErrorTests {
  private let folder = TemporaryFolder()

  private static let schema = """
    CREATE TABLE parents (number INTEGER PRIMARY KEY) STRICT;
    CREATE TABLE rows (
      number INTEGER PRIMARY KEY,
      name TEXT NOT NULL UNIQUE CHECK (length(name) < 10),
      parent INTEGER REFERENCES parents (number)
    ) STRICT;
    CREATE TRIGGER rows_inserted BEFORE INSERT ON rows WHEN NEW.name = 'refused'
    BEGIN SELECT RAISE(ABORT, 'in the trigger''s words'); END;
    INSERT INTO rows (number, name) VALUES (1, 'one');
    """

  /// The extended codes are those of https://www.sqlite.org/rescode.html.
  @Test(
    arguments: [
      ("(2, 'far too long', NULL)", 275, "CHECK constraint failed"),
      ("(2, 'two', 7)", 787, "FOREIGN KEY constraint failed"),
      ("(2, NULL, NULL)", 1299, "NOT NULL constraint failed: rows.name"),
      ("(1, 'two', NULL)", 1555, "UNIQUE constraint failed: rows.number"),
      ("(2, 'refused', NULL)", 1811, "in the trigger's words"),
      ("(2, 'one', NULL)", 2067, "UNIQUE constraint failed: rows.name"),
      ("('x', 'two', NULL)", 20, "datatype mismatch"),
      ("(2, 'two', 'x')", 3091, "cannot store TEXT value in INTEGER column rows.parent"),
    ] as [(String, Int32, String)])
  func `a refused row tells which rule refused it`(
    values: String, code: Int32, words: String
  ) throws {
    let connection = try open(folder.makeDatabase(Self.schema))
    try connection.execute("PRAGMA foreign_keys = ON")
    let failed = connection.error(
      executing: "INSERT INTO rows (number, name, parent) VALUES \(values)")
    let error = try #require(failed)
    #expect(error.code == code)
    #expect(error.message.hasPrefix(words))
    #expect(error.kind == (code == 20 ? .other : .constraint))
    #expect(error.description == "SQLite error \(code): \(error.message)")
    #expect(try connection.rows("SELECT name FROM rows") == ["one"])
  }

  @Test func `the values of a refused row are not in its error`() throws {
    let connection = try open(folder.makeDatabase(Self.schema))
    let insert = try connection.prepare("INSERT INTO rows (name) VALUES (:name)")
    for name in ["one", "refused", "a secret that is too long"] {
      try insert.bind(":name", name)
      let error = try #require(error { () throws(SQLiteError) in try insert.run() })
      #expect(error.kind == .constraint)
      #expect(!error.description.contains(name))
    }
  }

  @Test(arguments: [
    "SELEC 1", "SELECT * FROM nothing", "SELECT nothing FROM rows", "SELECT 1 +", "ROLLBACK",
    "INSERT INTO rows VALUES (1)",
  ])
  func `SQL that cannot run is an error of no special kind`(sql: String) throws {
    let connection = try open(folder.makeDatabase(Self.schema))
    let failed = connection.error(executing: sql)
    let error = try #require(failed)
    #expect(error.code == 1)
    #expect(error.kind == .other)
  }

  @Test func `a file that cannot be opened has the code's own words`() throws {
    let path = folder.file("none.db")
    let error = try #require(error { () throws(SQLiteError) in _ = try open(path) })
    #expect(error.code & 0xff == 14)
    #expect(error.kind == .cannotOpen)
    #expect(error.message == "unable to open database file")
  }
}
