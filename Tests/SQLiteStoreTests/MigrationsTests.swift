import Conversations
import Foundation
import Migrations
import Repository
import SQLite
import TestSupport
import Testing

@testable import SQLiteStore

@Suite struct MigrationsTests {
  @Test func `every file is in the list, in order and without gaps`() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().appending(path: "migrations")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .filter { $0.hasSuffix(".sql") }.sorted()
    #expect(Migrations.all.map { "\($0.name).sql" } == files)
    for (index, migration) in Migrations.all.enumerated() {
      let number = String(10000 + index + 1).dropFirst()
      #expect(migration.name.hasPrefix("\(number)_"))
      #expect(
        try migration.sql
          == String(contentsOf: folder.appending(path: "\(migration.name).sql"), encoding: .utf8))
    }
  }

  @Test func `opening and migrating apply what is missing, once`() async throws {
    let folder = TemporaryFolder()
    let path = folder.file("conversations.db")
    #expect(try SQLiteStore.migrate(path: path).applied == Migrations.all.map(\.name))
    #expect(try SQLiteStore.migrate(path: path).applied == [])
    let repository = try SQLiteStore(path: path)
    #expect(repository.migration.applied.isEmpty)
    // Beside a server there is nothing to do, and that is no error.
    #expect(try SQLiteStore.migrate(path: path).applied == [])
    await repository.close()

    let connection = try Connection(path: path, mode: .readOnly, busyTimeoutMilliseconds: 1000)
    #expect(try connection.integer("PRAGMA user_version") == Migrations.all.count)
    #expect(try connection.integer("PRAGMA application_id") == 0x636f_6e76)
  }

  /// All tables, indices, triggers and views of a file, as they were written.
  private func schema(_ path: String) throws -> [String] {
    let connection = try Connection(path: path, mode: .readOnly, busyTimeoutMilliseconds: 1000)
    let select = try connection.prepare(
      "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY 1")
    var rows: [String] = []
    while try select.step() { rows.append(select.repairedText(0)) }
    return rows
  }

  @Test(arguments: 1..<Migrations.all.count)
  func `a file of an older version keeps its conversations, and is served`(
    version: Int
  ) async throws {
    let folder = TemporaryFolder()
    let path = folder.file("conversations.db")
    #expect(FileManager.default.createFile(atPath: path, contents: nil))
    let older = Migrator(
      applicationID: DatabaseFile.applicationID, migrations: Array(Migrations.all.prefix(version)))
    let connection = try Connection(path: path, mode: .readWrite, busyTimeoutMilliseconds: 1000)
    #expect(try older.migrate(connection).count == version)
    try connection.execute(
      "INSERT INTO projects (number, name) VALUES (2, 'other');"
        + SampleFile.conversations(1...40) + SampleFile.conversations(41...50, in: 2)
        + SampleFile.pairs(in: 1) + SampleFile.pairs(in: 2)
        + "DELETE FROM conversations WHERE number = 7")

    let repository = try SQLiteStore(path: path)
    #expect(repository.migration.applied == Migrations.all.dropFirst(version).map(\.name))
    let page = try await repository.conversations(query("+note", "parity=even"), in: .default)
    #expect(page.conversations.map(\.createdAt) == [37, 31, 25, 19, 13, 1])
    let other = try await repository.conversations(query(), in: ProjectID(number: 2))
    #expect(other.conversations.map(\.createdAt) == (41...50).reversed())
    let first = try repository.conversation(SampleFile.id(1), in: .default)
    #expect(
      try first.metadata
        == metadata(["color": "c0", "even": "1", "note": "n0", "parity": "even", "rare": "1"]))

    let key = try #require(IdempotencyKey("k", request: []))
    _ = try await repository.createConversation(metadata: .empty, in: .default, once: key) { _ in
      ""
    }
    let newest = try await repository.conversations(query(limit: 1), in: .default)
    #expect(newest.conversations.first.map { $0.createdAt > 50 } == true)
    await repository.close()
    #expect(try SQLiteStore.check(path: path).findings.isEmpty)
    #expect(try SQLiteStore.check(path: path).conversationCount == 50)
    let fresh = folder.file("fresh.db")
    _ = try SQLiteStore.migrate(path: fresh)
    #expect(try schema(path) == schema(fresh))
  }

  @Test func `a file that is not ours is refused and stays as it is`() throws {
    let folder = TemporaryFolder()
    let foreign = folder.file("foreign.db")
    #expect(FileManager.default.createFile(atPath: foreign, contents: nil))
    try Connection(path: foreign, mode: .readWrite, busyTimeoutMilliseconds: 1000)
      .execute("CREATE TABLE t (a); PRAGMA application_id = 7")
    let text = folder.file("text.db")
    try String(repeating: "not a database ", count: 100)
      .write(toFile: text, atomically: true, encoding: .utf8)

    for (path, expected) in [
      (foreign, DatabaseError.migration(.foreign(applicationID: 7))),
      (text, nil),
    ] {
      let before = try Data(contentsOf: URL(filePath: path))
      for open in [
        { _ = try SQLiteStore(path: path) }, { _ = try SQLiteStore.migrate(path: path) },
      ] {
        do {
          try open()
          Issue.record("was not refused")
        } catch {
          if let expected {
            #expect(error as? DatabaseError == expected)
          } else if case .sqlite(let cause) = error as? DatabaseError {
            #expect(cause.kind == .notADatabase)
          } else {
            Issue.record("\(error)")
          }
        }
      }
      #expect(try Data(contentsOf: URL(filePath: path)) == before)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 2)
  }

  /// SQLite takes a file of one byte for an empty one.
  @Test func `a file of one byte is not a database, and keeps its byte`() throws {
    let folder = TemporaryFolder()
    let path = folder.file("newline")
    try "\n".write(toFile: path, atomically: true, encoding: .utf8)
    #expect(throws: DatabaseError.notADatabase) { try SQLiteStore(path: path) }
    #expect(throws: DatabaseError.notADatabase) { try SQLiteStore.migrate(path: path) }
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "\n")
  }
}
