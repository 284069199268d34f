import Foundation
import SQLite
import TestSupport
import Testing

@Suite struct ConnectionTests {
  private let folder = TemporaryFolder()

  @Test func `what was written is there after reopening`() throws {
    let path = folder.makeFile()
    do {
      let connection = try open(path)
      try connection.execute("CREATE TABLE t (a TEXT) STRICT; INSERT INTO t VALUES ('x'), ('y')")
    }
    #expect(try open(path).rows("SELECT a FROM t ORDER BY a") == ["x", "y"])
    #expect(try open(path, .readOnly).rows("SELECT a FROM t ORDER BY a") == ["x", "y"])
  }

  @Test func `what was not committed is gone after reopening`() throws {
    let path = try folder.makeDatabase("CREATE TABLE t (a TEXT) STRICT")
    do {
      let connection = try open(path)
      try connection.execute("BEGIN; INSERT INTO t VALUES ('x')")
    }
    #expect(try open(path).rows("SELECT a FROM t") == [])
  }

  @Test(arguments: [Connection.Mode.readOnly, .readWrite])
  func `a file that does not exist is not created`(mode: Connection.Mode) {
    for path in [folder.file("none.db"), folder.file("none/none.db")] {
      #expect(error { () throws(SQLiteError) in _ = try open(path, mode) }?.kind == .cannotOpen)
    }
    #expect(error { () throws(SQLiteError) in _ = try open(folder.path, mode) } != nil)
    #expect(folder.contents.isEmpty)
  }

  @Test func `a path is never a URI and never memory`() throws {
    for name in ["file:x.db?mode=memory", "a%20b.db", ":memory:", "é ?#.db", " "] {
      let path = try folder.makeDatabase("CREATE TABLE t (a TEXT) STRICT", named: name)
      #expect(try open(path).integer("SELECT count(*) FROM t") == 0)
    }
    for uri in ["file:\(folder.path)/new.db?mode=rwc", "file::memory:", ":memory:", ""] {
      #expect(error { () throws(SQLiteError) in _ = try open(uri) }?.kind == .cannotOpen)
    }
  }

  @Test func `a read-only connection reads and refuses to write`() throws {
    let path = try folder.makeDatabase("CREATE TABLE t (a TEXT) STRICT; INSERT INTO t VALUES ('x')")
    let before = folder.contents
    do {
      let connection = try open(path, .readOnly)
      for sql in [
        "INSERT INTO t VALUES ('y')", "UPDATE t SET a = 'y'", "DELETE FROM t", "DROP TABLE t",
        "CREATE TABLE u (a TEXT)", "PRAGMA user_version = 7", "PRAGMA journal_mode = WAL", "VACUUM",
      ] {
        #expect(connection.error(executing: sql)?.kind == .readOnly, "\(sql)")
      }
      #expect(try connection.rows("SELECT a FROM t") == ["x"])
    }
    #expect(folder.contents == before)
  }

  @Test(arguments: ["hello", "SQLite format 4\0", String(repeating: "x", count: 8192)])
  func `a file that is not a database is told by the first statement`(text: String) throws {
    let path = folder.makeFile(named: "text.db", Array(text.utf8))
    for mode in [Connection.Mode.readOnly, .readWrite] {
      let connection = try open(path, mode)
      #expect(connection.error(executing: "SELECT 1 FROM sqlite_schema")?.kind == .notADatabase)
      let prepared = error { () throws(SQLiteError) in
        _ = try connection.integer("PRAGMA user_version")
      }
      #expect(prepared?.kind == .notADatabase)
    }
    #expect(folder.contents == ["text.db": Array(text.utf8)])
  }

  @Test func `a damaged page is told apart`() throws {
    let path = try folder.makeDatabase(
      "CREATE TABLE t (a TEXT) STRICT; INSERT INTO t VALUES ('x')")
    var bytes = try #require(folder.contents["test.db"])
    let pageSize = Int(bytes[16]) << 8 | Int(bytes[17])
    for index in pageSize..<pageSize + 100 { bytes[index] = 0xff }
    _ = folder.makeFile(bytes)
    let connection = try open(path)
    #expect(connection.error(executing: "SELECT a FROM t")?.kind == .corrupt)
  }

  @Test func `a second writer is busy until the first one is done`() throws {
    let path = try folder.makeDatabase("CREATE TABLE t (a TEXT) STRICT")
    let first = try open(path)
    let second = try open(path)
    try first.execute("BEGIN IMMEDIATE; INSERT INTO t VALUES ('first')")
    #expect(second.error(executing: "BEGIN IMMEDIATE")?.kind == .busy)
    #expect(second.error(executing: "INSERT INTO t VALUES ('second')")?.kind == .busy)
    #expect(second.isInAutocommit == true)
    #expect(try second.rows("SELECT a FROM t") == [])
    try first.execute("COMMIT")
    try second.execute("INSERT INTO t VALUES ('second')")
    #expect(try first.rows("SELECT a FROM t ORDER BY a") == ["first", "second"])
  }

  @Test func `a connection waits for locks as long as it was told`() throws {
    let path = try folder.makeDatabase("CREATE TABLE t (a TEXT) STRICT")
    for milliseconds in [0, 1, 5000, Int(Int32.max)] {
      let connection = try open(path, busyTimeoutMilliseconds: milliseconds)
      #expect(try connection.integer("PRAGMA busy_timeout") == Int64(milliseconds))
    }
    let tooLong = try open(path, busyTimeoutMilliseconds: .max)
    #expect(try tooLong.integer("PRAGMA busy_timeout") == Int64(Int32.max))
  }

  @Test func `a table that the own connection reads is busy`() throws {
    let path = try folder.makeDatabase(
      "CREATE TABLE t (a TEXT) STRICT; INSERT INTO t VALUES ('x'), ('y')")
    let connection = try open(path)
    let reading = try connection.prepare("SELECT a FROM t")
    _ = try reading.step()
    #expect(connection.error(executing: "DROP TABLE t")?.kind == .busy)
    reading.reset()
    try connection.execute("DROP TABLE t")
  }

  @Test func `statements before the one that fails stay done`() throws {
    let connection = try open(folder.makeFile())
    let failed = connection.error(
      executing: "CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('x'); nonsense; DROP TABLE t")
    #expect(failed?.kind == .other)
    #expect(failed?.message.contains("nonsense") == true)
    #expect(try connection.rows("SELECT a FROM t") == ["x"])
    try connection.execute("")
    try connection.execute(" ; -- nothing\n")
  }

  @Test func `a full database rolls the transaction back by itself`() throws {
    let connection = try open(
      folder.makeDatabase("CREATE TABLE t (a BLOB) STRICT; INSERT INTO t VALUES (x'00')"))
    let pageCount = try connection.integer("PRAGMA page_count")
    _ = try connection.integer("PRAGMA max_page_count = \(pageCount + 4)")
    #expect(connection.isInAutocommit == true)
    try connection.execute("BEGIN IMMEDIATE; INSERT INTO t VALUES (x'01')")
    #expect(connection.isInAutocommit == false)
    let failed = connection.error(executing: "INSERT INTO t VALUES (zeroblob(1000000))")
    #expect(failed?.kind == .full)
    #expect(connection.isInAutocommit == true)
    #expect(connection.error(executing: "COMMIT")?.kind == .other)
    #expect(try connection.rows("SELECT hex(a) FROM t") == ["00"])
    try connection.execute("INSERT INTO t VALUES (x'02')")
    #expect(try connection.rows("PRAGMA integrity_check") == ["ok"])
  }

  @Test func `a transaction is open between its ends`() throws {
    let connection = try open(folder.makeDatabase("CREATE TABLE t (a TEXT UNIQUE) STRICT"))
    #expect(connection.isInAutocommit == true)
    for (begin, end) in [
      ("BEGIN", "COMMIT"), ("BEGIN IMMEDIATE", "ROLLBACK"), ("SAVEPOINT s", "RELEASE s"),
    ] {
      try connection.execute(begin)
      #expect(connection.isInAutocommit == false)
      try connection.execute(end)
      #expect(connection.isInAutocommit == true)
    }
    try connection.execute("INSERT INTO t VALUES ('x'); BEGIN; INSERT INTO t VALUES ('y')")
    #expect(connection.error(executing: "INSERT INTO t VALUES ('x')")?.kind == .constraint)
    #expect(connection.isInAutocommit == false)
    let failed = connection.error(executing: "INSERT OR ROLLBACK INTO t VALUES ('x')")
    #expect(failed?.kind == .constraint)
    #expect(connection.isInAutocommit == true)
    #expect(try connection.rows("SELECT a FROM t") == ["x"])
  }

  @Test func `changes are counted without those of triggers and foreign keys`() throws {
    let connection = try open(
      folder.makeDatabase(
        """
        CREATE TABLE parents (number INTEGER PRIMARY KEY AUTOINCREMENT) STRICT;
        CREATE TABLE children (
          parent INTEGER NOT NULL REFERENCES parents (number) ON DELETE CASCADE) STRICT;
        CREATE TABLE log (a TEXT) STRICT;
        CREATE TRIGGER parents_deleted AFTER DELETE ON parents
        BEGIN INSERT INTO log VALUES ('x'), ('y'); END;
        """))
    try connection.execute("PRAGMA foreign_keys = ON; INSERT INTO parents VALUES (7), (9)")
    #expect(connection.changeCount == 2)
    #expect(connection.lastInsertedNumber == 9)
    try connection.execute("INSERT INTO children VALUES (7), (7), (9)")
    #expect(connection.changeCount == 3)
    try connection.execute("DELETE FROM parents WHERE number = 7")
    #expect(connection.changeCount == 1)
    #expect(try connection.integer("SELECT count(*) FROM children") == 1)
    try connection.execute("DELETE FROM parents WHERE number = 1000")
    #expect(connection.changeCount == 0)
    try connection.execute("INSERT INTO parents DEFAULT VALUES")
    #expect(connection.lastInsertedNumber == 10)
  }

  @Test(arguments: [true, false])
  func `the write-ahead log is written back on closing, unless it is to be kept`(
    isKept: Bool
  ) throws {
    let path = folder.makeFile()
    do {
      let connection = try open(path)
      #expect(try connection.rows("PRAGMA journal_mode = WAL") == ["wal"])
      try connection.execute("CREATE TABLE t (a TEXT) STRICT; INSERT INTO t VALUES ('x')")
      if isKept { connection.keepWriteAheadLogOnClose() }
    }
    #expect((folder.contents["test.db-wal"]?.isEmpty == false) == isKept)
    #expect(try open(path).rows("SELECT a FROM t") == ["x"])
  }

  @Test func `the write-ahead log is written back from so many pages on, or it is said why not`()
    throws
  {
    let path = folder.makeFile()
    let disk = FaultyDisk(under: path)
    let connection = try open(path)
    connection.writeLogBack(fromPages: 8)
    try connection.execute("PRAGMA journal_mode = WAL; CREATE TABLE t (a TEXT) STRICT")
    // Each is a commit of one page.
    func insert(_ count: Int) throws {
      for _ in 0..<count { try connection.execute("INSERT INTO t VALUES ('x')") }
    }
    // Without its log.
    func rowsInFile() throws -> Int64 {
      let alone = folder.makeFile(named: "alone.db", try #require(folder.contents["test.db"]))
      return try open(alone).integer("SELECT count(*) FROM t")
    }
    disk.fail(.write, on: [.database], at: 1, staysBroken: true)
    try insert(5)
    #expect(connection.logWriteBackError == nil, "not tried yet")
    try insert(5)
    #expect(connection.logWriteBackError?.kind == .io)
    disk.heal()
    try insert(1)
    #expect(connection.logWriteBackError == nil)
    #expect(try rowsInFile() == 11)

    // Another one may do it.
    disk.fail(.write, on: [.database], at: 1, staysBroken: true)
    try insert(8)
    #expect(connection.logWriteBackError?.kind == .io)
    disk.heal()
    #expect(try open(path).integer("PRAGMA wal_checkpoint(TRUNCATE)") == 0)
    try insert(1)
    #expect(connection.logWriteBackError == nil)
    #expect(try connection.integer("SELECT count(*) FROM t") == 20)
  }

  @Test func `while another connection writes the log back, that is no error`() async throws {
    let path = folder.makeFile()
    let connection = try open(path)
    connection.writeLogBack(fromPages: 8)
    try connection.execute("PRAGMA journal_mode = WAL; CREATE TABLE t (a BLOB) STRICT; BEGIN")
    try connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
    // It keeps the lock on writing back while it waits for the transaction.
    async let other: Void = onOwnThread {
      let other = try open(path, busyTimeoutMilliseconds: 30_000)
      while try other.integer("PRAGMA wal_checkpoint(FULL)") == 1 {}
    }
    let isWaitedFor = try await onOwnThread {
      eventually { (try? open(path).integer("PRAGMA wal_checkpoint(PASSIVE)")) == 1 }
    }
    #expect(isWaitedFor)
    try connection.execute("COMMIT")
    #expect(connection.logWriteBackError == nil)
    try await other
  }
}
