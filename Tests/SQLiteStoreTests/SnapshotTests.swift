import Conversations
import Repository
import SQLite
import TestSupport
import Testing

@testable import SQLiteStore

@Suite struct SnapshotTests {
  @Test func `a key and a conversation are read as of one moment`() async throws {
    let test = try TestRepository()
    let conversation = try await test.create(["a": "1"])
    let key = try APIKeys(path: test.path).create("k")
    do {
      var snapshot = test.repository.snapshot()
      #expect(try snapshot.access(keyHash: APIKey.hash(of: key.text)) != nil)
      try await test.replace(conversation.id, ["a": "2"])
      try APIKeys(path: test.path).revoke(name: "k")
      let seen = try snapshot.conversation(conversation.id, in: .default)
      #expect(seen == conversation)
      #expect(try snapshot.access(keyHash: APIKey.hash(of: key.text)) != nil)
    }
    #expect(try test.read(conversation.id).value(for: "a") == "2")
    #expect(try test.repository.access(keyHash: APIKey.hash(of: key.text)) == nil)
  }

  /// Whatever the moments that follow each other: one of them must not see what is remembered of
  /// another.
  @Test func `a key that was found before counts as it is now`() async throws {
    let clock = TestClock(1000)
    let test = try TestRepository(now: { clock.seconds })
    let key = try APIKeys(path: test.path, now: 1000).create("k", lifetimeSeconds: 60)
    let hash = APIKey.hash(of: key.text)
    for _ in 0..<2 {
      #expect(try test.repository.access(keyHash: hash)?.projectName == "default")
    }
    try test.execute("UPDATE projects SET name = 'other' WHERE number = 1")
    #expect(try test.repository.access(keyHash: hash)?.projectName == "other")
    clock.seconds = 1060
    #expect(try test.repository.access(keyHash: hash) == nil)
    try test.execute("UPDATE api_keys SET expires_at = NULL")
    #expect(try test.repository.access(keyHash: hash) != nil)
    try test.execute("UPDATE api_keys SET revoked_at = 1060")
    #expect(try test.repository.access(keyHash: hash) == nil)
  }

  @Test func `more keys than are remembered are all found`() throws {
    let test = try TestRepository()
    let outsider = try test.outsider()
    try outsider.execute("BEGIN")
    let insert = try outsider.prepare(
      """
      INSERT INTO api_keys (project, name, hash, first_characters, created_at)
      VALUES (1, :name, :hash, 'sk-', 0)
      """)
    for number in 0..<1100 {
      try insert.bind(":name", "\(number)")
      try insert.bind(":hash", APIKey.hash(of: "\(number)"))
      try insert.run()
    }
    try outsider.execute("COMMIT")
    var snapshot = test.repository.snapshot()
    for _ in 0..<2 {
      for number in 0..<1100 {
        let access = try snapshot.access(keyHash: APIKey.hash(of: "\(number)"))
        #expect(access?.keyNumber == Int64(number + 1))
      }
    }
  }

  /// A read transaction that stays open keeps the log from being written back.
  @Test func `a snapshot that is gone holds nothing`() async throws {
    let test = try TestRepository()
    let conversation = try await test.create(["a": "1"])
    let key = try APIKeys(path: test.path).create("k")
    let outsider = try test.outsider()
    try outsider.execute("PRAGMA busy_timeout = 100")
    do {
      var snapshot = test.repository.snapshot()
      #expect(try snapshot.access(keyHash: APIKey.hash(of: key.text)) != nil)
      try await test.replace(conversation.id, ["a": "2"])
      #expect(try outsider.integer("PRAGMA wal_checkpoint(RESTART)") == 1)
    }
    #expect(try outsider.integer("PRAGMA wal_checkpoint(RESTART)") == 0)
  }
}
