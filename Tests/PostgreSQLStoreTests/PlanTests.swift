import Conversations
import PostgreSQL
import Repository
import TestSupport
import Testing

@testable import PostgreSQLStore

/// The plans of all statements on 10,000 conversations: each enters an index for what it needs, and none
/// reads a table from its beginning.
@Suite struct PlanTests {
  /// Conversations of two projects, with pairs that many and that few of them have, and some items. The
  /// rows are inserted as a lane does it, since triggers would take a minute.
  private static func sample(_ count: Int) throws -> TestDatabase {
    let database = try TestDatabase()
    try database.execute(
      """
      SET conversationd.lane = 'on';
      INSERT INTO projects VALUES (2, 'other');
      INSERT INTO conversations (project, id, created_at, metadata, last_activity, item_count,
        last_position)
      SELECT 1 + n % 2, id, 1700000000 + n, jsonb_build_object('status',
          CASE n % 2 WHEN 0 THEN 'open' ELSE 'closed' END, 'user', 'u' || n % (\(count) / 50),
          'topic', 't' || n % 20) || CASE n % 100 WHEN 0 THEN '{"escalated":"true"}'::jsonb
          ELSE '{}' END,
        (1700000000 + n) * 1000000::bigint, 2, 2
      FROM (
        SELECT n, int8send((1700000000 + n)::bigint << 32) || decode(md5(n::text), 'hex') AS id
        FROM generate_series(1, \(count)) AS n
      ) AS made;
      INSERT INTO pairs (project, key, value, conversation)
        SELECT project, key, value, id FROM conversations, jsonb_each_text(metadata);
      INSERT INTO keys (project, key, conversation)
        SELECT project, key, id FROM conversations, jsonb_object_keys(metadata) AS pair (key);
      INSERT INTO items (project, conversation, position, id, type, created_at, byte_count, fields)
        SELECT project, id, n, 'msg_' || n, 'message', created_at, 2, '{}'
        FROM conversations, generate_series(1, 2) AS n WHERE created_at % 10 = 0;
      INSERT INTO projects SELECT n, 'p' || n FROM generate_series(3, 300) AS n;
      INSERT INTO api_keys (hash, number, project, name, first_characters, created_at)
        SELECT sha256(int8send(n)), n, 1 + n % 300, 'k' || n, 'sk-', 1
        FROM generate_series(1, 1000) AS n;
      INSERT INTO idempotency_keys
        SELECT project, encode(id, 'hex'), sha256(id), id, '', decode(repeat('00', 16), 'hex'),
          created_at
        FROM conversations;
      INSERT INTO metadata_history (project, conversation, version, metadata, request_id)
        SELECT project, id, last_activity, metadata, 'req' FROM conversations;
      INSERT INTO append_idempotency_keys
        SELECT project, encode(id, 'hex'), sha256(id), id, 1, 2, created_at FROM conversations
      """)
    return database
  }

  private static let shared = Result { try sample(10_000) }

  /// What a plan may not hold. A sort is of a page, or of the steps of a walk.
  private static let scans = ["Seq Scan", "Bitmap", "Hash Join", "Merge", "Disabled"]

  @Test func `no statement scans`() throws {
    let database = try Self.shared.get()
    try requireIndices(database)
    // With statistics the planner knows more, and still may do nothing else.
    try database.execute("ANALYZE")
    try requireIndices(database)
    // A million conversations, as far as the planner knows.
    try pretendMore(database, factor: 100)
    try requireIndices(database)
  }

  /// Changes what the planner takes for the number of rows, which only a superuser may do.
  private func pretendMore(_ database: TestDatabase, factor: Int) throws {
    var superuser = try Connection(database.cluster.databaseURL(database.name, user: "postgres"))
    try superuser.execute(
      """
      UPDATE pg_class SET reltuples = reltuples * \(factor)
      WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i') AND reltuples > 0
      """)
    #expect(try Self.expectedRows(database) > 900_000)
  }

  /// How many conversations the planner expects.
  private static func expectedRows(_ database: TestDatabase) throws -> Int {
    var connection = try database.outsider()
    let plan = try connection.run(
      [.once("EXPLAIN SELECT * FROM conversations")], within: .seconds(10))[0].text(0, 0)
    let rows = plan.firstRange(of: "rows=").map { plan[$0.upperBound...].prefix { $0.isNumber } }
    return try #require(rows.flatMap { Int($0) })
  }

  private func requireIndices(_ database: TestDatabase) throws {
    for (settings, statements) in [
      (SessionSettings.writing(database.url), WriteStatements.all),
      (.reading(database.url), LookUpStatements.all),
      (.querying(database.url, timeoutMilliseconds: 2000), QueryStatements.all),
    ] {
      var connection = try settings.open()
      // `lanes` has a row for each connection that writes, and is read to find the newest id.
      for statement in statements where statement.name != "enter_lane" {
        guard let plan = try Self.plan(of: statement, on: &connection) else { continue }
        for scan in Self.scans {
          #expect(!plan.contains(scan), "\(statement.name): \(plan)")
        }
        #expect(Self.unconditional(plan).isEmpty, "\(statement.name): \(plan)")
      }
    }
  }

  /// The scans of an index without a condition. An import looks at every lane and project, of which
  /// there are few; whether there is any API key needs one row alone.
  private static func unconditional(_ plan: String) -> [Substring] {
    let lines = plan.split(separator: "\n")
    return lines.indices.filter { index in
      let line = lines[index]
      guard line.contains("Index"), line.contains(" using ") else { return false }
      guard !(line.contains("Index Only") && line.contains(" on api_keys")) else { return false }
      guard !line.contains(" on lanes"), !line.contains(" on projects") else { return false }
      return index + 1 == lines.count || !lines[index + 1].contains("Index Cond")
    }.map { lines[$0] }
  }

  /// - Returns: nil for a statement that has no plan.
  private static func plan(
    of statement: Statement, on connection: inout Connection
  ) throws -> String? {
    let count = (1...20).last { statement.sql.contains("$\($0)") } ?? 0
    let arguments = Array(repeating: "NULL", count: count).joined(separator: ", ")
    let call = "EXPLAIN EXECUTE \(statement.name)\(count == 0 ? "" : "(\(arguments))")"
    do {
      let rows = try connection.run([.once(call)], within: .seconds(10))[0]
      return (0..<rows.count).map { rows.text($0, 0) }.joined(separator: "\n")
    } catch {
      guard error.sqlState == "42601" || error.sqlState == "26000" else { throw error }
      return nil
    }
  }

  @Test(arguments: [
    // Both conditions are rare together, and common apart.
    ["user": "u7", "status": "closed"], ["user": "u7", "topic": "t7", "status": "closed"],
    ["escalated": "true", "status": "closed"],
  ])
  func `a walk is as long as its rarest condition`(pairs: [String: String]) throws {
    let database = try Self.shared.get()
    var query = ConversationQuery()
    for (key, value) in pairs { try query.require(Metadata.Pair(key: key, value: value)) }
    let conditions = try #require(WalkConditions(query.conditions))
    var connection = try SessionSettings.querying(database.url, timeoutMilliseconds: 5000).open()
    var walk = Walk(conditions, from: ([], ConversationID.lastPlaceBytes), .up)
    let steps = try connection.run(
      [
        QueryStatements.walkCounting(.up).call {
          walk.add(to: &$0, ProjectID(number: 2), hitsMax: .max)
        }
      ], within: .seconds(10))[0]
    // 50 conversations of a user, 100 escalated ones: a step or two for each, and condition.
    #expect(steps.int64(0, 5) <= Int64(2 * 100 * pairs.count))
    walk.goOn(steps, 0, from: 1, isLimited: false, isFull: false)
    #expect(walk.isAtEnd)
  }
}
