import Conversations
import Foundation
import Migrations
import Repository
import SQLite
import TestSupport
import Testing

@testable import SQLiteStore

/// What is kept of the activity of conversations, whoever writes.
@Suite struct ActivityTests {
  /// Microseconds and items of the conversations, by number.
  private func activity(_ path: String) throws -> [[Int64]] {
    let connection = try Connection(path: path, mode: .readOnly, busyTimeoutMilliseconds: 1000)
    let rows = try connection.prepare(
      "SELECT conversation, last_activity, item_count FROM activity ORDER BY conversation")
    var found: [[Int64]] = []
    while try rows.step() { found.append([rows.integer(0), rows.integer(1), rows.integer(2)]) }
    return found
  }

  @Test func `appends change it, and updates, deletes and repeats do not`() async throws {
    let clock = TestClock(1000)
    let test = try TestRepository(now: { clock.seconds })
    let first = try await test.create().id
    clock.seconds = 1001
    let second = try await test.repository.createConversation(
      metadata: .empty, items: [item("a"), item("b")], in: .default
    ).id
    #expect(try activity(test.path) == [[1, 1_000_000_000, 0], [2, 1_001_000_000, 2]])

    clock.seconds = 1010
    let key = IdempotencyKey("k", request: [])
    for _ in 1...2 {
      _ = try await test.repository.appendItems([item("c")], to: first, in: .default, once: key)
      clock.seconds += 1
    }
    #expect(try activity(test.path) == [[1, 1_010_000_000, 1], [2, 1_001_000_000, 2]])
    _ = try await test.repository.appendItems([], to: second, in: .default, once: nil)
    try await test.replace(second, ["a": "1"])
    _ = try await test.repository.deleteItem("c", of: first, in: .default)
    #expect(try activity(test.path) == [[1, 1_010_000_000, 0], [2, 1_001_000_000, 2]])

    // A clock that was set back takes nobody back.
    clock.seconds = 900
    _ = try await test.repository.appendItems([item("d")], to: first, in: .default, once: nil)
    #expect(try activity(test.path)[0] == [1, 1_010_000_000, 1])
    try await test.repository.deleteConversation(first, in: .default)
    #expect(try activity(test.path).map { $0[0] } == [2])
    #expect(try SQLiteStore.check(path: test.path).findings.isEmpty)
  }

  @Test func `an append that is refused leaves it as it is`() async throws {
    let clock = TestClock(1000)
    let test = try TestRepository(now: { clock.seconds })
    let id = try await test.create().id
    _ = try await test.repository.appendItems([item("a")], to: id, in: .default, once: nil)
    clock.seconds = 2000
    let error = await repositoryError {
      _ = try await test.repository.appendItems(
        [item("b"), item("a")], to: id, in: .default, once: nil)
    }
    #expect(error == .item(.alreadyInConversation))
    #expect(try activity(test.path) == [[1, 1_000_000_000, 1]])
  }

  /// From a connection that has foreign keys off.
  private static let id = "conv_0000000a0000f" + String(repeating: "0", count: 35)

  private func file() throws -> SampleFile {
    let file = try SampleFile()
    try file.execute(
      """
      INSERT INTO conversations (number, id, created_at) VALUES (1, '\(Self.id)', 10);
      INSERT INTO items (conversation, id, type, created_at, fields)
      VALUES (1, 'a', 'message', 9, '{}'), (1, 'b', 'message', 12, '{}');
      """)
    return file
  }

  @Test func `what is written by hand is counted`() throws {
    let file = try file()
    #expect(try activity(file.path) == [[1, 12_000_000, 2]])
    try file.execute("DELETE FROM items WHERE id = 'b'")
    #expect(try activity(file.path) == [[1, 12_000_000, 1]])
    try file.execute("DELETE FROM conversations")
    #expect(try activity(file.path) == [])
    #expect(try file.connection().integer("SELECT count(*) FROM items") == 0)
  }

  @Test func `an id of the older format is of its second's last microsecond at most`() throws {
    let file = try SampleFile()
    try file.execute(
      """
      INSERT INTO conversations (id, created_at)
      VALUES ('conv_0000000a00010\(String(repeating: "0", count: 35))', 10),
        ('conv_0000000afffff\(String(repeating: "0", count: 35))', 10);
      """)
    #expect(try activity(file.path) == [[1, 10_000_016, 0], [2, 10_999_999, 0]])
    #expect(try SQLiteStore.check(path: file.path).findings.isEmpty)
  }

  @Test(arguments: [
    "INSERT INTO activity VALUES (2, 1, 5, 0)", "INSERT INTO activity VALUES (1, 1, 5, 0)",
    "INSERT OR REPLACE INTO activity VALUES (1, 1, 5, 0)",
    "INSERT OR REPLACE INTO activity VALUES (1, 2, 5, 0)",
    "UPDATE activity SET conversation = 2", "UPDATE activity SET project = 2",
    "UPDATE activity SET last_activity = 5", "UPDATE activity SET item_count = -1",
    "UPDATE activity SET last_activity = 4294967296000000", "DELETE FROM activity",
  ])
  func `what breaks a rule is refused`(sql: String) throws {
    let file = try file()
    let error = #expect(throws: SQLiteError.self) { try file.connection().execute(sql) }
    #expect(error?.kind == .constraint)
    #expect(try activity(file.path) == [[1, 12_000_000, 2]])
  }

  @Test(arguments: [
    "UPDATE activity SET item_count = 3",
    "DROP TRIGGER activity_set_back; UPDATE activity SET last_activity = 10000014",
    "DROP TRIGGER activity_moved; UPDATE activity SET project = 2",
    "DROP TRIGGER activity_deleted; DELETE FROM activity",
    "DROP TRIGGER items_uncounted; DELETE FROM items WHERE id = 'a'",
  ])
  func `a check finds what is not true`(sql: String) throws {
    let file = try file()
    try file.execute(sql)
    let findings = try SQLiteStore.check(path: file.path).findings
    #expect(findings == [.wrongActivity(conversation: Self.id)])
  }

  @Test func `a migration finds what has happened`() throws {
    let folder = TemporaryFolder()
    let path = folder.file("conversations.db")
    let older = Migrator(
      applicationID: DatabaseFile.applicationID,
      migrations: Array(Migrations.all.prefix(6)))
    #expect(FileManager.default.createFile(atPath: path, contents: nil))
    do {
      let connection = try Connection(
        path: path, mode: .readWrite, busyTimeoutMilliseconds: 1000)
      _ = try older.migrate(connection)
      try connection.execute(
        """
        INSERT INTO conversations (number, id, created_at) VALUES (1, '\(Self.id)', 10);
        \(SampleFile.conversations(20...22))
        INSERT INTO items (conversation, id, type, created_at, fields)
        VALUES (1, 'a', 'message', 9, '{}'), (20, 'a', 'message', 30, '{}'),
          (20, 'b', 'message', 31, '{}');
        """)
    }
    _ = try SQLiteStore.migrate(path: path)
    #expect(
      try activity(path) == [
        [1, 10_000_015, 1], [20, 31_000_000, 2], [21, 21_000_000, 0], [22, 22_000_000, 0],
      ])
  }
}
