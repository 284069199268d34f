import SQLite
import TestSupport
import Testing

@Suite struct StatementTests {
  private let folder = TemporaryFolder()

  private func makeTable() throws -> Connection {
    try open(
      folder.makeDatabase("CREATE TABLE t (a TEXT CHECK (length(a) < 1000), n INTEGER) STRICT"))
  }

  /// `␀` stands for U+0000.
  @Test(arguments: [
    "", "a", "␀", "a␀", "␀a", "a␀b␀␀c", "é", "e\u{301}", "😀␀😀", "\u{FEFF}x", "\u{10FFFF}",
    "'; DROP TABLE t; --", String(repeating: "é␀", count: 400),
  ])
  func `a text comes back byte for byte`(shown: String) throws {
    let text = shown.replacing("␀", with: "\0")
    let connection = try makeTable()
    let insert = try connection.prepare("INSERT INTO t (a) VALUES (:a)")
    try insert.bind(":a", text)
    try insert.run()
    let select = try connection.prepare(
      "SELECT a, length(CAST(a AS BLOB)), typeof(a), a = :a FROM t")
    try select.bind(":a", text)
    let isRow = try select.step()
    try #require(isRow)
    let read = (select.text(0), select.integer(1), select.text(2), select.integer(3))
    let isNull = select.isNull(0)
    let repaired = select.repairedText(0)
    #expect(read.0.map { Array($0.utf8) } == Array(text.utf8))
    #expect(Array(repaired.utf8) == Array(text.utf8))
    #expect(read.1 == Int64(text.utf8.count))
    #expect(read.2 == "text")
    #expect(read.3 == 1)
    #expect(!isNull)
    let isAnotherRow = try select.step()
    #expect(!isAnotherRow)
  }

  @Test func `an empty text is not NULL`() throws {
    let connection = try makeTable()
    let insert = try connection.prepare("INSERT INTO t (a) VALUES (:a)")
    try insert.bind(":a", "")
    try insert.run()
    try connection.execute("INSERT INTO t (a) VALUES (NULL)")
    let select = try connection.prepare("SELECT a, n FROM t ORDER BY rowid")
    for isNull in [false, true] {
      let isRow = try select.step()
      try #require(isRow)
      let found = (select.isNull(0), select.text(0), select.isNull(1), select.integer(1))
      #expect(found.0 == isNull)
      #expect(found.1 == "")
      #expect(found.2)
      #expect(found.3 == 0)
    }
  }

  @Test(arguments: [0, 1, -1, .min, .max, 1 << 53 + 1] as [Int64])
  func `an integer comes back`(value: Int64) throws {
    let connection = try makeTable()
    let insert = try connection.prepare("INSERT INTO t (n) VALUES (:n) RETURNING n")
    insert.bind(":n", value)
    let isRow = try insert.step()
    let read = insert.integer(0)
    #expect(isRow)
    #expect(read == value)
    insert.reset()
    #expect(try connection.integer("SELECT n FROM t") == value)
  }

  /// `␀` stands for U+0000.
  @Test(arguments: [
    ("ff", "\u{FFFD}"), ("61ff62", "a\u{FFFD}b"), ("c3", "\u{FFFD}"), ("c080", "\u{FFFD}\u{FFFD}"),
    ("eda080", "\u{FFFD}\u{FFFD}\u{FFFD}"), ("6100ff", "a␀\u{FFFD}"), ("f09f98", "\u{FFFD}"),
  ])
  func `a text that is not UTF-8 is nil, and repaired for people`(
    bytes: String, repaired: String
  ) throws {
    let connection = try makeTable()
    try connection.execute(
      "INSERT INTO t VALUES ('before', 1), (CAST(x'\(bytes)' AS TEXT), 2), ('after', 3)")
    let select = try connection.prepare("SELECT a, n FROM t ORDER BY n")
    var texts: [String?] = []
    var shown: [String] = []
    while try select.step() {
      texts.append(select.text(0))
      shown.append(select.repairedText(0))
    }
    #expect(texts == ["before", nil, "after"])
    #expect(shown == ["before", repaired.replacing("␀", with: "\0"), "after"])
  }

  @Test func `a statement that fails half-way writes no row, and can be run again`() throws {
    let connection = try open(
      folder.makeDatabase(
        """
        CREATE TABLE sources (n INTEGER NOT NULL) STRICT;
        CREATE TABLE t (n INTEGER NOT NULL CHECK (n < 100)) STRICT;
        INSERT INTO sources VALUES (1), (2), (100), (3);
        """))
    let copy = try connection.prepare(
      "INSERT INTO t SELECT n + :n FROM sources ORDER BY sources.rowid")
    copy.bind(":n", 0)
    for _ in 0..<2 {
      let failed = error { () throws(SQLiteError) in try copy.run() }
      #expect(failed?.kind == .constraint)
      #expect(connection.isInAutocommit == true)
      #expect(try connection.integer("SELECT count(*) FROM t") == 0)
    }
    copy.bind(":n", -1)
    try copy.run()
    #expect(try connection.rows("SELECT n FROM t ORDER BY n") == ["0", "1", "2", "99"])
  }

  @Test func `a statement that fails inside a transaction leaves the rest of it`() throws {
    let connection = try makeTable()
    let insert = try connection.prepare("INSERT INTO t (a) VALUES (:a)")
    try connection.execute("BEGIN")
    for text in ["x", String(repeating: "y", count: 1000), "z"] {
      try insert.bind(":a", text)
      let failed = error { () throws(SQLiteError) in try insert.run() }
      #expect((failed?.kind == .constraint) == (text.utf8.count == 1000))
      #expect(connection.isInAutocommit == false)
    }
    try connection.execute("COMMIT")
    #expect(try connection.rows("SELECT a FROM t ORDER BY a") == ["x", "z"])
  }

  @Test func `a statement that waits in vain for a lock can be run again`() throws {
    let connection = try makeTable()
    let insert = try connection.prepare("INSERT INTO t (a) VALUES ('x')")
    let other = try open(folder.file("test.db"))
    try other.execute("BEGIN IMMEDIATE")
    let failed = error { () throws(SQLiteError) in try insert.run() }
    #expect(failed?.kind == .busy)
    try other.execute("COMMIT")
    try insert.run()
    #expect(try connection.integer("SELECT count(*) FROM t") == 1)
  }

  @Test func `a statement is run many times, each with its own values`() throws {
    let connection = try makeTable()
    let insert = try connection.prepare("INSERT INTO t (a, n) VALUES (:a, :n)")
    for number in 0..<100 as Range<Int64> {
      try insert.bind(":a", "text \(number)")
      insert.bind(":n", number)
      try insert.run()
    }
    let select = try connection.prepare("SELECT a FROM t WHERE n = :n")
    for number in [0, 99, 50] as [Int64] {
      select.bind(":n", number)
      let isRow = try select.step()
      let text = select.text(0)
      select.reset()
      #expect(isRow)
      #expect(text == "text \(number)")
    }
    select.bind(":n", 100)
    let isRow = try select.step()
    #expect(!isRow)
  }

  @Test func `a name that stands twice is bound once`() throws {
    let connection = try makeTable()
    let select = try connection.prepare("SELECT :a || ' ' || :a || ' ' || :b")
    try select.bind(":a", "x")
    try select.bind(":b", "y")
    let isRow = try select.step()
    let text = select.text(0)
    #expect(isRow)
    #expect(text == "x x y")
  }

  @Test func `a reset statement holds no lock`() throws {
    let connection = try makeTable()
    try connection.execute("INSERT INTO t (a) VALUES ('x'), ('y')")
    let select = try connection.prepare("SELECT a FROM t")
    let isRow = try select.step()
    #expect(isRow)
    let other = try open(folder.file("test.db"))
    #expect(other.error(executing: "BEGIN EXCLUSIVE")?.kind == .busy)
    select.reset()
    try other.execute("BEGIN EXCLUSIVE; ROLLBACK")
  }

  @Test func `running a statement drops its rows and resets it`() throws {
    let connection = try makeTable()
    let insert = try connection.prepare("INSERT INTO t (a) VALUES ('x'), ('y') RETURNING a")
    try insert.run()
    try insert.run()
    #expect(try connection.integer("SELECT count(*) FROM t") == 4)
    try open(folder.file("test.db")).execute("BEGIN EXCLUSIVE; ROLLBACK")
  }

  @Test func `a statement outlives its connection`() throws {
    func makeStatement() throws -> Statement {
      let connection = try makeTable()
      try connection.execute("INSERT INTO t (a) VALUES ('x')")
      return try connection.prepare("SELECT a FROM t")
    }
    let statement = try makeStatement()
    let isRow = try statement.step()
    let text = statement.text(0)
    #expect(isRow)
    #expect(text == "x")
  }

  @Test func `only the bytes of the SQL are compiled`() throws {
    let connection = try makeTable()
    #expect(try connection.integer("SELECT length('é😀')") == 2)
    let sql = "SELECT 1; SELECT 2"
    #expect(try connection.integer(String(sql.prefix(8))) == 1)
    let failed = error { () throws(SQLiteError) in _ = try connection.prepare("SELECT :") }
    #expect(failed?.kind == .other)
  }
}
