import Conversations
import Repository
import SQLite
import TestSupport
import Testing

@testable import SQLiteStore

@Suite struct IdempotencyTableTests {
  /// SQL that adds records of the first conversation, one a second from 1 on.
  private static func records(_ count: Int) -> String {
    """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(count))
    INSERT INTO idempotency_keys
      (project, key, request_hash, conversation, answer, content_hash, created_at)
    SELECT 1, printf('key-%d', i * 7919 % 100003), printf('%064x', i), 1, 'answer',
      printf('%032x', i), i
    FROM n;
    """
  }

  /// A repository that remembers for 1,000 seconds, with records.
  private func repository(records count: Int, now: Int64) throws -> TestRepository {
    let test = try TestRepository(settings: .init(idempotencySeconds: 1000), now: { now })
    try test.execute("BEGIN;" + SampleFile.conversations(1...1) + Self.records(count) + "COMMIT")
    return test
  }

  @Test func `old keys are forgotten a hundred at a time, the oldest first`() async throws {
    let test = try repository(records: 300, now: 1250)
    for (first, count) in [(101, 200), (201, 100), (251, 50), (251, 50)] {
      try await test.repository.writes.write { writer throws(RepositoryError) in
        try rethrowing { () throws(SQLiteError) in try writer.forgetIdempotencyKeys(through: 250) }
      }
      #expect(try test.count("idempotency_keys") == count)
      let oldest = try test.outsider().integer("SELECT min(created_at) FROM idempotency_keys")
      #expect(oldest == Int64(first))
    }
    #expect(try test.count("conversations") == 1)
  }

  @Test func `keys are forgotten from the second on at which their time is over`() async throws {
    let test = try repository(records: 300, now: 1250)
    try await test.repository.forgetOldIdempotencyKeys()
    #expect(try test.count("idempotency_keys") == 50)
    #expect(
      try test.outsider().integer("SELECT min(created_at) FROM idempotency_keys") == 251)
  }

  @Test func `all old keys are forgotten in the end, and other writes run in between`() async throws
  {
    let test = try repository(records: 2000, now: 10_000)
    let repository = test.repository
    // The first step waits for the lock meanwhile.
    let outsider = try test.outsider()
    try outsider.execute("BEGIN IMMEDIATE")
    async let swept: Void = repository.forgetOldIdempotencyKeys()
    try await waitUntil { repository.writes.counts == (1, 0) }
    async let left = repository.writes.write { _ throws(RepositoryError) in
      (try? test.count("idempotency_keys")) ?? 0
    }
    try await waitUntil { repository.writes.counts == (1, 1) }
    try outsider.execute("ROLLBACK")
    #expect(try await (1700...1900).contains(left))
    try await swept
    #expect(try test.count("idempotency_keys") == 0)
  }

  /// Or an idle server would hold up whoever works with the sqlite3 CLI.
  @Test(arguments: [0, 10])
  func `when no key is old, the lock is not asked for`(young count: Int) async throws {
    let test = try repository(records: count + 1, now: 1000)
    try test.execute("DELETE FROM idempotency_keys WHERE created_at > \(count)")
    let outsider = try test.outsider()
    try outsider.execute("BEGIN IMMEDIATE")
    try await test.repository.forgetOldIdempotencyKeys()
    try outsider.execute("ROLLBACK")
    #expect(try test.count("idempotency_keys") == count)
  }

  // MARK: Work

  private struct Work: Equatable {
    let sql: String
    let runs: Int64
    let scanned: Int64
    let sorts: Int64
    let automaticIndexRows: Int64
    let instructions: Int64
  }

  /// What the table's statements have done, by SQLite's own list of a connection's statements
  /// (https://www.sqlite.org/stmt.html), which Debian's library has.
  private func work(records count: Int) throws -> [Work] {
    let file = try SampleFile()
    try file.execute(SampleFile.conversations(1...1) + Self.records(count))
    let connection = try file.connection()
    let table = try IdempotencyTable(connection, retentionSeconds: 1000)
    try table.forget(through: 100)
    #expect(connection.changeCount == 100)
    let key = try #require(IdempotencyKey("new", request: []))
    _ = try table.answer(to: key, in: .default, now: 1100)
    let answer = StoredResponse(
      text: "", contentHash: try #require(ContentHash(String(repeating: "0", count: 32))),
      isReplay: false)
    try table.remember(answer, to: key, in: .default, conversation: 1, now: 1100)
    #expect(try table.answer(to: key, in: .default, now: 1100)?.isReplay == true)
    let list = try connection.prepare(
      """
      SELECT sql, run, nscan, nsort, naidx, nstep FROM sqlite_stmt
      WHERE sql LIKE '%idempotency_keys%' AND sql NOT LIKE '%sqlite_stmt%' ORDER BY sql
      """)
    var works: [Work] = []
    while try list.step() {
      works.append(
        Work(
          sql: list.repairedText(0), runs: list.integer(1), scanned: list.integer(2),
          sorts: list.integer(3), automaticIndexRows: list.integer(4),
          instructions: list.integer(5)))
    }
    // The lasting plan of each: `EXPLAIN` takes unbound parameters.
    for work in works {
      let explain = try connection.prepare("EXPLAIN QUERY PLAN \(work.sql)")
      while try explain.step() {
        #expect(!explain.repairedText(3).contains("SCAN"), "\(work.sql)")
        #expect(!explain.repairedText(3).contains("TEMP B-TREE"), "\(work.sql)")
      }
    }
    return works
  }

  @Test func `forgetting, finding and remembering cost the same beside many keys`() throws {
    let few = try work(records: 200)
    let many = try work(records: 5000)
    #expect(few.count == 4)
    #expect(few.allSatisfy { $0.runs > 0 && $0.instructions > 0 })
    for (few, many) in zip(few, many) {
      #expect(many.scanned == 0 && many.sorts == 0 && many.automaticIndexRows == 0)
      #expect(few.sql == many.sql)
      #expect(abs(few.instructions - many.instructions) <= 20, "\(few.sql)")
    }
  }
}
