import Conversations
import Repository
import SQLite
import SQLiteStore
import Testing

/// The limits as the schema keeps them, from a connection that knows nothing of the service's rules
/// and has foreign keys off.
@Suite struct SchemaTests {
  private static let id = "conv_0000000a" + String(repeating: "0", count: 40)
  private static let full = """
    INSERT INTO conversations (number, id, created_at) VALUES (1, '\(id)', 10);
    INSERT INTO metadata (conversation, key, value)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 16)
    SELECT 1, 'k' || i, 'v' FROM n;
    """

  @Test(arguments: [
    "INSERT INTO metadata (conversation, key, value) VALUES (1, 'k17', '')",
    "UPDATE metadata SET key = printf('%065d', 0) WHERE key = 'k1'",
    "UPDATE metadata SET key = replace(printf('%065d', 0), '0', '😀') WHERE key = 'k1'",
    "UPDATE metadata SET value = printf('%0513d', 0) WHERE key = 'k1'",
    "UPDATE metadata SET value = char(0) WHERE key = 'k1'",
    "UPDATE metadata SET value = 'a' || char(0) || 'b' WHERE key = 'k1'",
    "UPDATE metadata SET key = 'a' || char(0) || 'b' WHERE key = 'k1'",
    "UPDATE metadata SET value = x'61' WHERE key = 'k1'",
    "UPDATE metadata SET value = NULL WHERE key = 'k1'",
    "UPDATE metadata SET value = CAST(zeroblob(2049) AS TEXT) WHERE key = 'k1'",
    "UPDATE metadata SET conversation = 2 WHERE key = 'k1'",
    "UPDATE metadata SET project = 2 WHERE key = 'k1'",
    "INSERT INTO metadata (conversation, key, value) VALUES (2, 'orphan', '')",
    "INSERT INTO metadata (conversation, key, value, project) VALUES (1, 'k1', '', 2)",
    "UPDATE conversations SET created_at = 11",
    "UPDATE conversations SET number = 2",
    "UPDATE conversations SET project = 2",
    "INSERT INTO conversations (id, created_at) VALUES ('\(id)', 10)",
    "INSERT OR REPLACE INTO conversations (id, created_at) VALUES ('\(id)', 10)",
    "INSERT OR REPLACE INTO conversations (number, id, created_at) "
      + "VALUES (1, 'conv_0000000b0000000000000000000000000000000000000000', 11)",
    "INSERT INTO conversations (number, id, created_at) "
      + "VALUES (-1, 'conv_0000000b0000000000000000000000000000000000000000', 11)",
    "INSERT INTO conversations (number, id, created_at) "
      + "VALUES (9223372036854775807, 'conv_0000000b0000000000000000000000000000000000000000', 11)",
    "INSERT INTO conversations (id, created_at) "
      + "VALUES ('conv_0000000b' || char(0) || '000000000000000000000000000000000000000', 11)",
    "DELETE FROM projects",
    "UPDATE projects SET number = 3",
    "INSERT OR REPLACE INTO projects (number, name) VALUES (1, 'other')",
    "INSERT OR REPLACE INTO projects (number, name) VALUES (2, 'default')",
    "INSERT INTO projects (number, name) VALUES (-1, 'other')",
    "INSERT INTO conversations (id, created_at) VALUES ('conv_1', 10)",
    "INSERT INTO conversations (id, created_at) "
      + "VALUES ('conv_0000000b0000000000000000000000000000000000000000', 10)",
    "INSERT INTO conversations (id, created_at) "
      + "VALUES ('conv_0000000A0000000000000000000000000000000000000000', 10)",
  ])
  func `what breaks a rule is refused and changes nothing`(sql: String) async throws {
    let test = try TestRepository()
    let outsider = try test.outsider()
    try outsider.execute(Self.full)
    let before = try test.repository.conversation(ConversationID(Self.id)!, in: .default)
    do {
      try outsider.execute(sql)
      Issue.record("was not refused")
    } catch {
      #expect(error.kind == .constraint)
    }
    #expect(try test.repository.conversation(ConversationID(Self.id)!, in: .default) == before)
    #expect(try test.count("metadata") == 16)
    #expect(try test.count("conversations") == 1)
    // And whatever was tried, the service goes on.
    try await test.create(["a": "1"])
  }

  @Test(arguments: [
    "INSERT INTO projects (name) VALUES ('a'), ('b'); DELETE FROM projects WHERE name = 'a'",
    "UPDATE projects SET name = 'renamed'",
    "INSERT OR REPLACE INTO metadata (conversation, key, value) VALUES (1, 'k1', 'new')",
    "UPDATE metadata SET key = replace(printf('%064d', 0), '0', '😀') WHERE key = 'k1'",
    "UPDATE metadata SET value = replace(printf('%0512d', 0), '0', '😀') WHERE key = 'k1'",
    "UPDATE metadata SET value = '' WHERE key = 'k1'",
    "UPDATE metadata SET key = '' WHERE key = 'k1'",
  ])
  func `what keeps the rules is taken`(sql: String) async throws {
    let test = try TestRepository()
    try test.execute(Self.full + sql)
    let conversation = try test.repository.conversation(
      ConversationID(Self.id)!, in: .default)
    #expect(conversation.metadata.pairs.count == 16)
  }

  @Test func `a conversation deleted outside takes its pairs, and nobody inherits them`()
    async throws
  {
    let test = try TestRepository()
    let conversation = try await test.create(["a": "1"])
    try test.execute("DELETE FROM conversations WHERE id = '\(conversation.id)'")
    #expect(try test.count("metadata") == 0)
    let next = try await test.create()
    #expect(try test.read(next.id) == .empty)
    #expect(try test.outsider().integer("SELECT number FROM conversations") == 2)
  }

  @Test func `the overview shows a conversation in a row`() async throws {
    let test = try TestRepository(now: { 1_782_518_134 })
    let conversation = try await test.create(["topic": "test", "é": "\"quoted\""])
    let outsider = try test.outsider()
    let rows = try outsider.prepare("SELECT id, created_at, project, metadata FROM overview")
    #expect(try rows.step())
    #expect(rows.text(0) == conversation.id.description)
    #expect(rows.text(1) == "2026-06-26T23:55:34Z")
    #expect(rows.text(2) == "default")
    #expect(rows.text(3) == #"{"topic":"test","é":"\"quoted\""}"#)
    #expect(try !rows.step())
  }
}
