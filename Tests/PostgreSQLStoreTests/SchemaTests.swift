import Conversations
import PostgreSQL
import Repository
import TestSupport
import Testing

@testable import PostgreSQLStore

/// What people do by psql.
@Suite struct SchemaTests {
  static let id = "conversation_id('conv_6a3f11765ab88196bb163daa1e6dc3030eea6ca4e48c1c16')"
  let database: TestDatabase

  init() throws {
    database = try TestDatabase()
    try database.execute(
      """
      INSERT INTO conversations (id, created_at, metadata)
      VALUES (\(Self.id), x'6a3f1176'::bigint, '{"topic":"test","a":"1"}')
      """)
  }

  private func isRefused(_ sql: String) -> Bool {
    sqlState { try database.execute(sql) } == "P0001"
  }

  @Test func `the indices follow the metadata`() async throws {
    #expect(try database.findings().isEmpty)
    try database.execute(
      #"UPDATE conversations SET metadata = metadata - 'a'::text || '{"topic":"x","n":"1"}'"#)
    #expect(try database.number("SELECT count(*) FROM pairs WHERE value IN ('x', '1')") == 2)
    #expect(try database.number("SELECT count(*) FROM pairs") == 2)
    #expect(try database.number("SELECT count(*) FROM keys WHERE key IN ('topic', 'n')") == 2)
    #expect(try database.findings().isEmpty)
    let store = try database.store()
    var query = ConversationQuery()
    try query.require(Metadata.Pair(key: "topic", value: "x"))
    #expect(try await store.conversations(query, in: .default).conversations.count == 1)
  }

  @Test func `items are numbered and counted`() throws {
    try database.execute(
      """
      INSERT INTO items (conversation, id, type, created_at, fields)
      VALUES (\(Self.id), 'msg_1', 'message', 1800000000, ' {"role":"user","content":"a"} '),
        (\(Self.id), 'msg_2', 'message', 1900000000, '{"role":"user","content":[]}')
      """)
    #expect(try database.number("SELECT max(position) FROM items") == 2)
    #expect(try database.number("SELECT last_activity FROM conversations") == 1_900_000_000_000_000)
    try database.execute("DELETE FROM items WHERE id = 'msg_2'")
    #expect(try database.number("SELECT item_count FROM conversations") == 1)
    try database.execute(
      """
      INSERT INTO items (conversation, id, type, created_at, fields)
      VALUES (\(Self.id), 'msg_2', 'message', 1700000000, '{}')
      """)
    #expect(try database.number("SELECT max(position) FROM items") == 3)
    #expect(try database.findings().isEmpty)
    #expect(try database.number("SELECT count(*) FROM transcript WHERE text = 'a'") == 1)
  }

  @Test func `what belongs to a conversation goes with it`() async throws {
    let store = try database.store()
    let key = try #require(IdempotencyKey("k", request: []))
    let created = try await store.createConversation(
      metadata: metadata(["b": "2"]), items: [item("msg_1")], in: .default, once: key
    ) { $0.id.description }
    let id = try #require(ConversationID(created.text))
    _ = try await store.appendItems([item("msg_2")], to: id, in: .default, once: key)
    try database.execute(
      """
      INSERT INTO metadata_history (project, conversation, version, metadata, request_id)
      SELECT project, id, 1, metadata, 'req' FROM conversations
      """)
    let history = try database.number("SELECT count(*) FROM metadata_history")
    try database.execute("DELETE FROM conversations")
    #expect(history == 2)
    for table in [
      "pairs", "keys", "items", "idempotency_keys", "append_idempotency_keys", "metadata_history",
    ] {
      #expect(try database.number("SELECT count(*) FROM \(table)") == 0, "\(table)")
    }
  }

  @Test(arguments: [
    "UPDATE conversations SET metadata = '[]'",
    #"UPDATE conversations SET metadata = '{"a":1}'"#,
    """
    UPDATE conversations SET metadata = (
      SELECT jsonb_object_agg(n, 'x') FROM generate_series(1, 17) AS n)
    """,
    "UPDATE conversations SET metadata = jsonb_build_object(repeat('k', 65), 'x')",
    "UPDATE conversations SET metadata = jsonb_build_object('k', repeat('é', 513))",
    "INSERT INTO conversations (id, created_at) VALUES (decode(repeat('ab', 24), 'hex'), 5)",
    "INSERT INTO conversations (id, created_at) VALUES ('\\x00', 0)",
    """
    INSERT INTO items (conversation, id, type, created_at, fields)
    SELECT id, 'a b', 'message', 1, '{}' FROM conversations
    """,
    """
    INSERT INTO items (conversation, id, type, created_at, fields)
    SELECT id, 'a', 'message', 1, '[]' FROM conversations
    """,
  ])
  func `limits hold for everybody`(sql: String) throws {
    #expect(sqlState { try database.execute(sql) } != nil)
    #expect(try database.findings().isEmpty)
  }

  @Test func `the longest key and value are taken`() throws {
    try database.execute(
      "UPDATE conversations SET metadata = jsonb_build_object(repeat('🐘', 64), repeat('🐘', 512))")
    #expect(try database.findings().isEmpty)
  }

  @Test(arguments: [
    "INSERT INTO pairs VALUES (1, 'a', 'b', '\\x00')", "DELETE FROM pairs",
    "UPDATE keys SET key = 'z'", "UPDATE conversations SET item_count = 4",
    "UPDATE conversations SET last_activity = last_activity + 1",
    "UPDATE conversations SET project = 2",
    "UPDATE conversations SET id = decode(repeat('6a3f1176', 6), 'hex')",
    "TRUNCATE conversations", "TRUNCATE api_keys", "DELETE FROM projects",
    "UPDATE projects SET number = 2",
    """
    INSERT INTO conversations (id, created_at, project)
    VALUES (decode(repeat('00', 24), 'hex'), 0, 2)
    """,
    """
    INSERT INTO items (conversation, id, type, created_at, fields)
    VALUES ('\\x00', 'msg_1', 'message', 1, '{}')
    """,
    """
    INSERT INTO idempotency_keys
    VALUES (1, 'k', sha256(''), '\\x00', '', decode(repeat('00', 16), 'hex'), 1)
    """,
  ])
  func `what would break a rule is refused`(sql: String) throws {
    #expect(isRefused(sql))
    #expect(try database.findings().isEmpty)
  }

  @Test func `items and records never change`() async throws {
    let store = try database.store()
    let key = try #require(IdempotencyKey("k", request: []))
    _ = try await store.createConversation(
      metadata: .empty, items: [item("msg_1")], in: .default, once: key
    ) { $0.id.description }
    try database.execute(
      """
      INSERT INTO metadata_history (project, conversation, version, metadata, request_id)
      SELECT project, id, 7, metadata, 'req' FROM conversations
      """)
    #expect(isRefused("UPDATE metadata_history SET version = 8"))
    for (project, version) in [(1, 7), (1, 6), (2, 8)] {
      #expect(
        isRefused(
          """
          INSERT INTO metadata_history (project, conversation, version, metadata, request_id)
          SELECT \(project), id, \(version), metadata, 'req' FROM conversations
          """))
    }
    #expect(
      try database.number(
        "SELECT count(*) FROM metadata_changes WHERE before = after AND version = 7") == 2)
    #expect(isRefused("UPDATE items SET type = 'x'"))
    #expect(isRefused("UPDATE idempotency_keys SET answer = ''"))
  }

  @Test func `a key is revoked for good and never deleted`() async throws {
    let store = try database.store()
    let new = NewAPIKey(name: try APIKeyName("a"), rights: .readWrite, expiresAt: nil)
    _ = try await store.createAPIKey(new, in: .default)
    #expect(isRefused("DELETE FROM api_keys"))
    #expect(isRefused("UPDATE api_keys SET is_admin = true"))
    try database.execute("UPDATE api_keys SET revoked_at = 1")
    #expect(isRefused("UPDATE api_keys SET revoked_at = NULL"))
    try database.execute("UPDATE api_keys SET name = 'b'")
  }

  @Test func `a check finds what the triggers would have refused`() throws {
    try database.cluster.execute("ALTER DATABASE \(database.name) SET conversationd.lane = 'on'")
    for sql in [
      "DELETE FROM pairs WHERE key = 'a'", "DELETE FROM keys",
      "INSERT INTO pairs SELECT project, 'z', 'z', id FROM conversations",
      "UPDATE conversations SET item_count = 1, last_position = 1",
      "INSERT INTO keys VALUES (1, 'k', '\\x00')",
      "UPDATE conversations SET project = 7",
    ] {
      try database.execute(sql)
      #expect(try !database.findings().isEmpty, "\(sql)")
      #expect(try database.findings().allSatisfy { !$0.description.contains("test") })
    }
    #expect(try database.findings().contains(.withoutProject(rows: 1)))
    #expect(try database.findings().contains(.orphans(table: "keys", rows: 1)))
  }
}
