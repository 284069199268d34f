import SQLite
import TestSupport
import Testing

@Suite struct MigratorTests {
  private let folder = TemporaryFolder()
  private let migrator = Migrations.migrator

  @Test func `an empty file gets every migration, in order`() throws {
    let connection = try open(folder.makeFile())
    #expect(try migrator.state(of: connection) == .empty)
    #expect(try migrator.migrate(connection) == Migrations.names)
    #expect(try migrator.state(of: connection) == .version(3))
    #expect(migrator.newestVersion == 3)
    #expect(try connection.integer("PRAGMA application_id") == Int64(Migrations.applicationID))
    #expect(try connection.integer("PRAGMA user_version") == 3)
    #expect(
      try connection.rows("SELECT number, name FROM parents ORDER BY number", columnCount: 2)
        == ["1|one; two", "3|three"])
    #expect(try connection.integer("SELECT count(*) FROM children") == 2)
    #expect(connection.isInAutocommit == true)
  }

  @Test func `reading the state changes nothing`() throws {
    let path = folder.makeFile()
    do {
      let connection = try open(path)
      #expect(try migrator.state(of: connection) == .empty)
    }
    #expect(folder.contents == ["test.db": []])
    _ = try migrator.migrate(open(path))
    let before = folder.contents
    #expect(try migrator.state(of: open(path)) == .version(3))
    #expect(try migrator.state(of: open(path, .readOnly)) == .version(3))
    #expect(folder.contents == before)
  }

  @Test func `a file that has every migration is left as it is`() throws {
    let path = folder.makeFile()
    _ = try migrator.migrate(open(path))
    let before = folder.contents
    #expect(try migrator.migrate(open(path)) == [])
    #expect(try migrator.migrate(open(path, .readOnly)) == [])
    let connection = try open(path)
    #expect(try migrator.migrate(connection) == [])
    #expect(try migrator.migrate(connection) == [])
    #expect(folder.contents == before)
  }

  @Test(arguments: 1...3)
  func `a file of an older version gets what is missing and keeps its rows`(version: Int) throws {
    let path = folder.makeFile()
    let older = Migrations.migrator(of: Array(Migrations.all.prefix(version)))
    _ = try older.migrate(open(path))
    #expect(try migrator.state(of: open(path)) == .version(version))
    try open(path).execute("INSERT INTO parents VALUES (77, 'kept')")
    let missing = Array(Migrations.names.dropFirst(version))
    #expect(try migrator.migrate(open(path)) == missing)
    #expect(try open(path).integer("PRAGMA user_version") == 3)
    #expect(try open(path).rows("SELECT name FROM parents WHERE number = 77") == ["kept"])
  }

  @Test func `a file of ours whose version is 0 gets every migration`() throws {
    let path = try folder.makeDatabase("PRAGMA application_id = \(Migrations.applicationID)")
    #expect(try migrator.state(of: open(path)) == .version(0))
    #expect(try migrator.migrate(open(path)) == Migrations.names)
  }

  @Test(arguments: [1, -1, .min, .max] as [Int32])
  func `every application id but 0 is good`(id: Int32) throws {
    let migrator = Migrator(
      applicationID: id, migrations: [(name: "0001_a", sql: "CREATE TABLE a (b TEXT)")])
    let path = folder.makeFile()
    #expect(try migrator.migrate(open(path)) == ["0001_a"])
    #expect(try migrator.migrate(open(path)) == [])
    #expect(try migrator.state(of: open(path)) == .version(1))
  }

  /// SQL that fails after much was done, and the kind of its error. After the second and the third
  /// SQLite rolls the transaction back by itself.
  private static let failing: [(sql: String, kind: SQLiteError.Kind)] = [
    ("INSERT INTO parents VALUES (1, 'again')", .constraint),
    ("INSERT OR ROLLBACK INTO parents VALUES (1, 'again')", .constraint),
    ("INSERT INTO parents VALUES (6, CAST(zeroblob(9000000) AS TEXT))", .full),
    ("INSERT INTO nothing VALUES (1)", .other),
    ("this is no SQL", .other),
    ("SELECT 'unterminated", .other),
    ("CREATE TABLE parents (number INTEGER)", .other),
    ("BEGIN", .other),
  ]

  @Test(arguments: failing)
  func `a step that fails leaves nothing, and the earlier ones stay`(
    sql: String, kind: SQLiteError.Kind
  ) throws {
    let started = """
      CREATE TABLE new (a TEXT); INSERT INTO parents VALUES (5, 'five'); DROP TABLE children;
      PRAGMA user_version = 40; PRAGMA application_id = 41;
      """
    let path = folder.makeFile()
    let connection = try open(path)
    _ = try connection.integer("PRAGMA max_page_count = 1000")
    let broken = Migrations.migrator(upTo: 2, then: "\(started) \(sql); DROP TABLE parents;")
    for _ in 0..<2 {
      guard case .step(let name, let cause) = broken.error(migrating: connection) else {
        Issue.record("no error of that kind")
        return
      }
      #expect(name == "3_another")
      #expect(cause.kind == kind)
      #expect(connection.isInAutocommit == true)
    }
    #expect(try migrator.state(of: connection) == .version(2))
    #expect(try connection.rows("SELECT number FROM parents") == ["1"])
    #expect(try connection.integer("SELECT count(*) FROM children") == 2)
    #expect(try connection.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'new'") == 0)
    #expect(try migrator.migrate(connection) == ["0003_add_parent"])
    #expect(try open(path).rows("PRAGMA integrity_check") == ["ok"])
  }

  @Test func `a first step that fails leaves an empty database`() throws {
    let path = folder.makeFile()
    let broken = Migrations.migrator(upTo: 0, then: "CREATE TABLE a (b TEXT); nonsense")
    do {
      let connection = try open(path)
      #expect(broken.error(migrating: connection) != nil)
    }
    #expect(try migrator.state(of: open(path)) == .empty)
    #expect(try migrator.migrate(open(path)) == Migrations.names)
  }

  @Test(arguments: [
    "INSERT INTO children VALUES (12, 2)", "DELETE FROM parents", "DROP TABLE parents",
    "UPDATE parents SET number = 2",
  ])
  func `a step that breaks a foreign key leaves nothing`(sql: String) throws {
    let connection = try open(folder.makeFile())
    try connection.execute("PRAGMA foreign_keys = ON")
    let broken = Migrations.migrator(upTo: 2, then: "CREATE TABLE new (a TEXT); \(sql)")
    for _ in 0..<2 {
      #expect(broken.error(migrating: connection) == .foreignKeys(step: "3_another"))
      #expect(connection.isInAutocommit == true)
    }
    #expect(try migrator.state(of: connection) == .version(2))
    #expect(try connection.rows("SELECT number FROM parents") == ["1"])
    #expect(try connection.integer("SELECT count(*) FROM children") == 2)
    #expect(try connection.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'new'") == 0)
  }

  @Test func `a step may rebuild a table that others refer to`() throws {
    let connection = try open(folder.makeFile())
    try connection.execute("PRAGMA foreign_keys = ON")
    let rebuilding = Migrations.migrator(
      upTo: 3,
      then: """
        CREATE TABLE rebuilt (number INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
        INSERT INTO rebuilt SELECT number, name FROM parents;
        DROP TABLE parents;
        ALTER TABLE rebuilt RENAME TO parents;
        """)
    #expect(try rebuilding.migrate(connection) == Migrations.names + ["4_another"])
    #expect(try connection.rows("SELECT number FROM parents ORDER BY number") == ["1", "3"])
    #expect(try connection.rows("SELECT parent FROM children") == ["1", "1"])
    #expect(try connection.rows("PRAGMA foreign_key_check") == [])
  }

  @Test func `a file that another program is writing to is busy, and untouched`() throws {
    let path = folder.makeFile()
    let older = Migrations.migrator(of: Array(Migrations.all.prefix(1)))
    _ = try older.migrate(open(path))
    let other = try open(path)
    try other.execute("BEGIN IMMEDIATE")
    let connection = try open(path)
    guard case .sqlite(let cause) = migrator.error(migrating: connection) else {
      Issue.record("no error of that kind")
      return
    }
    #expect(cause.kind == .busy)
    #expect(connection.isInAutocommit == true)
    try other.execute("COMMIT")
    #expect(try migrator.migrate(connection) == Array(Migrations.names.dropFirst()))
  }

  @Test func `a read-only connection cannot migrate`() throws {
    let path = folder.makeFile()
    for version in [0, 1] {
      let older = Migrations.migrator(of: Array(Migrations.all.prefix(version)))
      if version > 0 { _ = try older.migrate(open(path)) }
      let before = folder.contents
      do {
        let connection = try open(path, .readOnly)
        guard case .step(_, let cause) = migrator.error(migrating: connection) else {
          Issue.record("no error of that kind")
          return
        }
        #expect(cause.kind == .readOnly)
      }
      #expect(folder.contents == before)
    }
  }
}
