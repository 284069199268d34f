import Conversations
import Foundation
import Migrations
import Repository
import SQLite
import SQLiteStore
import Testing

@Suite struct DatabaseCheckTests {
  @Test func `a sound database has no findings, also beside its server`() async throws {
    let test = try TestRepository()
    try await test.create(["a": "1", "b": "2"])
    let report = try SQLiteStore.check(path: test.path)
    #expect(report.findings.isEmpty)
    #expect(report.conversationCount == 1)
    #expect(report.pairCount == 2)
  }

  @Test func `rows that are not UTF-8 are found`() async throws {
    let test = try TestRepository()
    let conversation = try await test.create(["a": "1", "b": "2"])
    try test.execute("UPDATE metadata SET value = CAST(x'ff' AS TEXT) WHERE key = 'b'")
    let report = try SQLiteStore.check(path: test.path)
    #expect(
      report.findings == [.notUTF8(conversation: conversation.id.description, key: "b")])
  }

  @Test func `what somebody forced past the schema is found`() async throws {
    let test = try TestRepository()
    let conversation = try await test.create(["a": "1"])
    try test.execute(
      """
      PRAGMA ignore_check_constraints = ON;
      DROP TRIGGER metadata_inserted;
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 16)
      INSERT INTO metadata (conversation, key, value) SELECT 1, 'k' || i, '' FROM n;
      UPDATE metadata SET value = printf('%0513d', 0) WHERE key = 'a';
      INSERT INTO metadata (conversation, key, value) VALUES (99, 'orphan', '');
      INSERT INTO conversations (number, id, created_at) VALUES (50, 'conv_x', 1);
      INSERT INTO metadata_history (conversation, version, metadata, request_id)
        VALUES (1, 1, '{"a":"1"}', 'r'), (1, 2, '{"a":1}', 'r'), (1, 3, 'x', 'r');
      """)
    let findings = try SQLiteStore.check(path: test.path).findings
    let id = conversation.id.description
    #expect(findings.contains(.tooManyPairs(conversation: id, count: 17)))
    #expect(findings.contains(.limit(conversation: id, key: "a")))
    #expect(
      findings.contains(.orphans(table: "metadata", parent: "conversations", rows: 1)))
    #expect(findings.contains(.unreadableConversation(number: 50)))
    for version: Int64 in 2...3 {
      #expect(findings.contains(.unreadableVersion(conversation: id, version: version)))
    }
    #expect(findings.count == 6)
  }

  /// From before the schema refused it.
  @Test func `conversations out of the order of their ids are found`() throws {
    let test = try TestRepository()
    func id(_ second: Int) -> String { "conv_0000000\(second)" + String(repeating: "0", count: 40) }
    try test.execute(
      """
      DROP TRIGGER conversations_ordered;
      INSERT INTO conversations (id, created_at)
      VALUES ('\(id(1))', 1), ('\(id(5))', 5), ('\(id(2))', 2), ('\(id(4))', 4), ('\(id(6))', 6);
      """)
    let report = try SQLiteStore.check(path: test.path)
    #expect(
      report.findings
        == [.outOfOrder(conversation: id(2)), .outOfOrder(conversation: id(4))])
    #expect(report.conversationCount == 5)
  }

  @Test func `an index that does not match its table is found`() async throws {
    let test = try TestRepository()
    try await test.create(["a": "1"])
    // The index loses its rows behind SQLite's back, by being a partial one for a moment.
    let toPartial = "sql || ' WHERE key > ''x'''"
    let toWhole = "replace(sql, ' WHERE key > ''x''', '')"
    for expression in [toPartial, toWhole] {
      try test.execute(
        """
        PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = \(expression) WHERE name = 'metadata_by_pair';
        """)
      if expression == toPartial { try test.execute("REINDEX metadata_by_pair") }
    }
    let findings = try SQLiteStore.check(path: test.path).findings
    #expect(!findings.isEmpty)
    #expect(findings.allSatisfy { if case .integrity = $0 { true } else { false } })
  }

  @Test func `a missing file and an empty one are told apart`() throws {
    let folder = NSTemporaryDirectory()
    let path = "\(folder)/conversationd-\(UUID().uuidString).db"
    #expect(throws: DatabaseError.cannotOpen(errorNumber: ENOENT)) {
      try SQLiteStore.check(path: path)
    }
    #expect(!FileManager.default.fileExists(atPath: path))
    #expect(FileManager.default.createFile(atPath: path, contents: nil))
    defer { try? FileManager.default.removeItem(atPath: path) }
    #expect(throws: DatabaseError.notMigrated(newestKnown: Migrations.all.count)) {
      try SQLiteStore.check(path: path)
    }
  }
}
