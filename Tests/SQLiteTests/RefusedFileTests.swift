import SQLite
import TestSupport
import Testing

/// Files that a migrator must leave alone, to the byte.
@Suite struct RefusedFileTests {
  private let folder = TemporaryFolder()
  private let migrator = Migrations.migrator

  /// Reads the state of a file and migrates it, each through a connection of its own, and expects
  /// the same error of both and no change of any file.
  private func expectRefused(
    _ path: String, sourceLocation: SourceLocation = #_sourceLocation,
    _ isExpected: (MigrationError) -> Bool
  ) throws {
    let before = folder.contents
    for mode in [Connection.Mode.readOnly, .readWrite] {
      var errors: [MigrationError?] = []
      do {
        let connection = try open(path, mode)
        errors.append(migrator.error(readingStateOf: connection))
      }
      do {
        let connection = try open(path, mode)
        errors.append(migrator.error(migrating: connection))
        errors.append(migrator.error(migrating: connection))
      }
      for error in errors {
        #expect(
          error.map(isExpected) == true, "\(String(describing: error))",
          sourceLocation: sourceLocation)
      }
      #expect(folder.contents == before, sourceLocation: sourceLocation)
    }
  }

  private static let ours = "PRAGMA application_id = \(Migrations.applicationID);"

  @Test(arguments: [4, 5, 1000, Int(Int32.max)])
  func `a file of a newer version is refused`(version: Int) throws {
    let path = folder.makeFile()
    _ = try migrator.migrate(open(path))
    try open(path).execute("PRAGMA user_version = \(version)")
    try expectRefused(path) { $0 == .newer(version: version, newestKnown: 3) }
  }

  @Test(arguments: [-1, Int(Int32.min)])
  func `a file of ours whose version is negative is refused`(version: Int) throws {
    let path = try folder.makeDatabase("\(Self.ours) PRAGMA user_version = \(version)")
    let before = folder.contents
    do {
      let connection = try open(path)
      let error = migrator.error(readingStateOf: connection)
      #expect(error != nil)
    }
    #expect(folder.contents == before)
  }

  @Test(
    arguments: [
      (7, "PRAGMA application_id = 7"),
      (-7, "PRAGMA application_id = -7; CREATE TABLE t (a TEXT)"),
      (0x7465_7375, "PRAGMA application_id = \(0x7465_7375); PRAGMA user_version = 3"),
      (7, "PRAGMA application_id = 7; PRAGMA user_version = 1000; CREATE TABLE t (a TEXT)"),
      (0, "CREATE TABLE t (a TEXT)"),
      (0, "CREATE VIEW v AS SELECT 1"),
      (0, "CREATE TABLE parents (number INTEGER); PRAGMA user_version = 2"),
      (0, "PRAGMA user_version = 3"),
      (0, "PRAGMA user_version = -1"),
    ] as [(Int64, String)])
  func `a file of another program is refused`(id: Int64, sql: String) throws {
    let path = try folder.makeDatabase(sql)
    try expectRefused(path) { $0 == .foreign(applicationID: id) }
  }

  @Test func `a file of another program in write-ahead mode is refused`() throws {
    let path = try folder.makeDatabase("PRAGMA journal_mode = WAL; CREATE TABLE t (a TEXT)")
    let before = folder.contents
    #expect(Array(before.keys) == ["test.db"])
    for mode in [Connection.Mode.readOnly, .readWrite] {
      do {
        let connection = try open(path, mode)
        #expect(migrator.error(migrating: connection) == .foreign(applicationID: 0))
      }
      #expect(folder.contents["test.db"] == before["test.db"])
    }
    #expect(folder.contents == before)
  }

  @Test func `reading the state leaves another program's write-ahead log`() throws {
    let path = folder.makeFile()
    do {
      let connection = try open(path)
      try connection.execute("PRAGMA journal_mode = WAL; CREATE TABLE t (a TEXT)")
      connection.keepWriteAheadLogOnClose()
    }
    let before = folder.contents
    #expect(before["test.db-wal"]?.isEmpty == false)
    do {
      let connection = try open(path, .readOnly)
      #expect(migrator.error(readingStateOf: connection) == .foreign(applicationID: 0))
    }
    #expect(folder.contents["test.db"] == before["test.db"])
    #expect(folder.contents["test.db-wal"] == before["test.db-wal"])
  }

  @Test(
    arguments: [
      Array("# A file of words\n".utf8), Array("SQLite format 3".utf8),
      Array("SQLite format 2\0".utf8) + Array(repeating: 0, count: 4096),
      Array(repeating: 0, count: 2), Array(repeating: 0, count: 4096),
      Array(repeating: 0xFF, count: 100),
      Array("%PDF-1.7\n".utf8) + Array(repeating: 7, count: 9000),
    ] as [[UInt8]])
  func `a file that is not a database is refused`(bytes: [UInt8]) throws {
    let path = folder.makeFile(bytes)
    try expectRefused(path) {
      if case .sqlite(let cause) = $0 { cause.kind == .notADatabase } else { false }
    }
    #expect(folder.contents == ["test.db": bytes])
  }
}
