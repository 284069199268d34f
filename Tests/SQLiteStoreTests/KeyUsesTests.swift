import Conversations
import Repository
import SQLite
import TestSupport
import Testing

@testable import SQLiteStore

/// When keys were last used is kept in memory and written down now and then.
@Suite struct KeyUsesTests {
  private let clock = TestClock(1000)
  private let test: TestRepository
  private let hashes: [String]

  /// Three keys, never used.
  init() throws {
    let test = try TestRepository(
      settings: .init(busyTimeoutMilliseconds: 1000), now: { [clock] in clock.seconds })
    let keys = try APIKeys(path: test.path)
    hashes = try ["a", "b", "c"].map { APIKey.hash(of: try keys.create($0).text) }
    self.test = test
  }

  private func use(_ key: Int, at second: Int64) throws {
    clock.seconds = second
    #expect(try test.repository.access(keyHash: hashes[key]) != nil)
  }

  private func stored() throws -> [Int64?] {
    try APIKeys(path: test.path).all().map(\.lastUsedAt)
  }

  @Test func `uses are written when that is asked for, the last of each key`() async throws {
    for second: Int64 in [1000, 1001, 1005] { try use(0, at: second) }
    try use(1, at: 1002)
    #expect(try stored() == [nil, nil, nil])
    try await test.repository.writeKeyUses()
    #expect(try stored() == [1005, 1002, nil])
    try use(2, at: 1010)
    try await test.repository.writeKeyUses()
    #expect(try stored() == [1005, 1002, 1010])
  }

  @Test func `where nothing was used, and a second time, nothing is written`() async throws {
    try await test.repository.writeKeyUses()
    try use(0, at: 1000)
    try await test.repository.writeKeyUses()
    try test.execute("UPDATE api_keys SET last_used_at = 7")
    try await test.repository.writeKeyUses()
    #expect(try stored() == [7, 7, 7])
    // It would be an error if a write were tried.
    await test.repository.close()
    try await test.repository.writeKeyUses()
  }

  @Test func `a look-up that lets nobody in is no use`() async throws {
    try APIKeys(path: test.path).revoke(name: "a")
    for hash in [hashes[0], "", APIKey.hash(of: "sk-unknown")] {
      #expect(try test.repository.access(keyHash: hash) == nil)
    }
    try await test.repository.writeKeyUses()
    #expect(try stored() == [nil, nil, nil])
  }

  @Test func `a key that was used and then revoked keeps its last use`() async throws {
    try use(0, at: 1003)
    try APIKeys(path: test.path).revoke(name: "a")
    try await test.repository.writeKeyUses()
    #expect(try stored() == [1003, nil, nil])
  }

  @Test func `what could not be written is written later, and what is newer wins`() async throws {
    try use(0, at: 1000)
    try use(1, at: 1001)
    let repository = test.repository
    let outsider = try test.outsider()
    try outsider.execute("BEGIN IMMEDIATE")
    async let error = repositoryError { try await repository.writeKeyUses() }
    // Used again while the older use is on its way.
    try await waitUntil { repository.writes.counts == (1, 0) }
    try use(0, at: 1002)
    #expect(await error == .unavailable(.locked))
    try outsider.execute("ROLLBACK")
    #expect(try stored() == [nil, nil, nil])
    try use(2, at: 1003)
    try await repository.writeKeyUses()
    #expect(try stored() == [1002, 1001, 1003])
  }

  /// If each key were a write of its own, two would be stored when the third fails.
  @Test func `all uses are one write, stored as a whole or not at all`() async throws {
    for key in [0, 1, 2, 0, 1, 2] { try use(key, at: 1000) }
    try test.execute(
      """
      CREATE TABLE updates (key);
      CREATE TRIGGER boom BEFORE UPDATE ON api_keys WHEN (SELECT count(*) FROM updates) = 2
      BEGIN SELECT RAISE(ABORT, 'boom'); END;
      CREATE TRIGGER counted AFTER UPDATE ON api_keys
      BEGIN INSERT INTO updates VALUES (NEW.number); END;
      """)
    #expect(await repositoryError { try await test.repository.writeKeyUses() } != nil)
    #expect(try stored() == [nil, nil, nil])
    #expect(try test.count("updates") == 0)
    try test.execute("DROP TRIGGER boom")
    try await test.repository.writeKeyUses()
    #expect(try stored() == [1000, 1000, 1000])
    #expect(try test.count("updates") == 3)
  }

  @Test func `a repository that is closed says so`() async throws {
    try use(0, at: 1000)
    await test.repository.close()
    for _ in 0..<2 {
      #expect(
        await repositoryError { try await test.repository.writeKeyUses() } == .unavailable(.closed))
    }
  }
}
