import Conversations
import Foundation
import Migrations
import Repository
import SQLite
import SQLiteStore
import TestSupport
import Testing

/// Keys as `conversationd keys` makes and revokes them, beside a repository that has the file open.
@Suite struct APIKeysTests {
  private func access(_ test: TestRepository, _ key: APIKey) throws -> Access? {
    try test.repository.access(keyHash: APIKey.hash(of: key.text))
  }

  @Test func `a key lets into its project, with its rights, from its creation on`() throws {
    let test = try TestRepository()
    let keys = try APIKeys(path: test.path)
    let own = try access(test, keys.create("own"))
    #expect(own?.project == .default)
    #expect(own?.projectName == "default")
    #expect(own?.rights == .readWrite)

    let reader = try access(test, keys.create("reader", project: "team-1", rights: .readOnly))
    #expect(reader?.projectName == "team-1")
    #expect(reader?.rights == .readOnly)
    #expect(reader?.isReadOnly == true)
    let admin = try access(test, keys.create("writer", project: "team-1", rights: .admin))
    #expect(admin?.project == reader?.project)
    #expect(admin?.project != own?.project)
    #expect(admin?.rights == .admin)
    #expect(admin?.isReadOnly == false)
    #expect(Set([own, reader, admin].map { $0?.keyNumber }).count == 3)
    #expect(try test.count("projects") == 2)
  }

  @Test func `what is not the key itself does not count`() throws {
    let test = try TestRepository()
    let key = try APIKeys(path: test.path).create("k")
    let text = key.text
    #expect(try access(test, key) != nil)
    for other in [
      text.uppercased(), text + " ", text + "A", text + "\0", String(text.dropLast()),
      String(text.dropFirst(3)), key.firstCharacters, APIKey.hash(of: text), "", "%", "*",
    ] {
      #expect(try test.repository.access(keyHash: APIKey.hash(of: other)) == nil)
    }
    for hash in [text, APIKey.hash(of: text).uppercased(), "", "%"] {
      #expect(try test.repository.access(keyHash: hash) == nil)
    }
  }

  @Test func `the list has what is known of each key, in the order of creation`() async throws {
    let test = try TestRepository(now: { 1500 })
    let first = try APIKeys(path: test.path, now: 1000).create("b", lifetimeSeconds: 60)
    let second = try APIKeys(path: test.path, now: 1001)
      .create("a", project: "team", rights: .readOnly)
    _ = try APIKeys(path: test.path, now: 1002).create("a", rights: .admin)
    #expect(try access(test, second) != nil)
    try await test.repository.writeKeyUses()
    try APIKeys(path: test.path).revoke(name: "b")

    let list = try APIKeys(path: test.path).all()
    #expect(list.map(\.name) == ["b", "a", "a"])
    #expect(list.map(\.project) == ["default", "team", "default"])
    #expect(list.map(\.rights) == [.readWrite, .readOnly, .admin])
    #expect(list.map(\.createdAt) == [1000, 1001, 1002])
    #expect(list.map(\.expiresAt) == [1060, nil, nil])
    #expect(list.map(\.lastUsedAt) == [nil, 1500, nil])
    #expect(list.map(\.isRevoked) == [true, false, false])
    #expect(
      list.prefix(2).map(\.firstCharacters) == [first, second].map { String($0.text.prefix(7)) })
  }

  @Test func `the key itself is nowhere on the disk`() async throws {
    let test = try TestRepository()
    let key = try APIKeys(path: test.path).create("k")
    _ = try access(test, key)
    try await test.repository.writeKeyUses()
    let suffixes = ["", "-wal"]
    let files = try suffixes.map { try Data(contentsOf: URL(filePath: test.path + $0)) }
    let hash = Data(APIKey.hash(of: key.text).utf8)
    #expect(files.contains { $0.range(of: hash) != nil }, "these are the files that it would be in")
    #expect(!files.contains { $0.range(of: Data(key.text.utf8.prefix(11))) != nil })
  }

  @Test func `a revoked key does not count any more, and only it`() throws {
    let test = try TestRepository()
    let keys = try APIKeys(path: test.path)
    let (revoked, other) = (try keys.create("a"), try keys.create("A"))
    #expect(try access(test, revoked) != nil)
    try keys.revoke(name: "a")
    #expect(try access(test, revoked) == nil)
    #expect(try access(test, other) != nil)
    #expect(throws: APIKeysError.noSuchKey) { try keys.revoke(name: "a") }
    #expect(throws: APIKeysError.noSuchKey) { try keys.revoke(name: "never") }
    #expect(throws: APIKeysError.noSuchKey) { try keys.revoke(name: "") }
  }

  @Test func `a name is taken until its key is revoked, and the old key stays dead`() throws {
    let test = try TestRepository()
    let keys = try APIKeys(path: test.path)
    let old = try keys.create("a", project: "one")
    #expect(throws: APIKeysError.nameTaken) { try keys.create("a", project: "one", rights: .admin) }
    // Also when the key that has it counts no more by itself.
    #expect(throws: APIKeysError.nameTaken) {
      try APIKeys(path: test.path, now: 5_000_000_000).create("a", project: "one")
    }
    #expect(try test.count("projects") == 2)

    for _ in 0..<2 {
      try keys.revoke(name: "a")
      let new = try keys.create("a", project: "one")
      #expect(try access(test, new)?.projectName == "one")
      #expect(try access(test, old) == nil)
    }
    #expect(try keys.all().map(\.isRevoked) == [true, true, false])
  }

  @Test func `each project has names of its own, and a name of several is revoked by project`()
    throws
  {
    let test = try TestRepository()
    let keys = try APIKeys(path: test.path)
    let made = try ["one", "two", "three"].map { try keys.create("a", project: $0) }
    _ = try keys.create("b", project: "four")
    #expect(throws: APIKeysError.ambiguousName(projects: ["one", "three", "two"])) {
      try keys.revoke(name: "a")
    }
    for project in ["four", "", "One", "none"] {
      #expect(throws: APIKeysError.noSuchKey) { try keys.revoke(name: "a", project: project) }
    }
    #expect(try made.allSatisfy { try access(test, $0) != nil })
    try keys.revoke(name: "a", project: "two")
    #expect(try made.map { try access(test, $0) != nil } == [true, false, true])
    try keys.revoke(name: "a", project: "three")
    // One is left: its name is enough.
    try keys.revoke(name: "a")
    #expect(try made.allSatisfy { try access(test, $0) == nil })
    #expect(throws: APIKeysError.noSuchKey) { try keys.revoke(name: "a") }
  }

  @Test func `of many that take a name at the same time one gets it`() async throws {
    let test = try TestRepository()
    let made = try await withThrowingTaskGroup { group in
      for _ in 0..<8 {
        group.addTask {
          try await onOwnThread { try? APIKeys(path: test.path).create("a", project: "p").text }
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(made.count { $0 != nil } == 1)
    #expect(try test.count("api_keys") == 1)
    #expect(try test.count("projects") == 2)
  }

  @Test(arguments: [
    "", String(repeating: "a", count: 65), "a\nb", "\t", "a\0b", "\u{7F}", "\u{85}", "\u{1B}[31m",
    "e" + String(repeating: "\u{301}", count: 64),
  ])
  func `a name that cannot be one is refused`(name: String) throws {
    let test = try TestRepository()
    let keys = try APIKeys(path: test.path)
    #expect(throws: APIKeysError.malformedName) { try keys.create(name, project: "new") }
    #expect(try test.count("api_keys") == 0)
    #expect(try test.count("projects") == 1)
    #expect(try !test.repository.hasAPIKeys())
  }

  @Test(arguments: [
    "", String(repeating: "a", count: 65), "a b", " ", "a\n", "\u{7F}", "é", "a\0b", "😀",
  ])
  func `a project that cannot be one is refused`(project: String) throws {
    let test = try TestRepository()
    let keys = try APIKeys(path: test.path)
    #expect(throws: APIKeysError.malformedProject) { try keys.create("k", project: project) }
    #expect(try test.count("api_keys") == 0)
    #expect(try test.count("projects") == 1)
  }

  @Test(arguments: [
    ("a", "!"), (" ", "~"), ("the key of Zoë", "';--"), ("\u{E9}", "a"), ("e\u{301}", "A"),
    (String(repeating: "😀", count: 64), String(repeating: "p", count: 64)),
  ])
  func `a name and a project of the right form are kept as they are`(
    name: String, project: String
  ) throws {
    let test = try TestRepository()
    let keys = try APIKeys(path: test.path)
    // Neither is the same as one of other bytes.
    _ = try keys.create("\u{65}\u{301}a", project: "a")
    let key = try keys.create(name, project: project)
    #expect(try access(test, key)?.projectName == project)
    let last = try #require(try keys.all().last)
    #expect(last.name.utf8.elementsEqual(name.utf8))
    #expect(last.project == project)
    try keys.revoke(name: name)
    #expect(try access(test, key) == nil)
  }

  @Test func `a key expires at its very second`() throws {
    let clock = TestClock(1000)
    let test = try TestRepository(now: { clock.seconds })
    let keys = try APIKeys(path: test.path, now: 1000)
    let (mortal, eternal) = (try keys.create("a", lifetimeSeconds: 60), try keys.create("b"))
    for (second, counts) in [(1000, true), (1059, true), (1060, false), (1061, false)] {
      clock.seconds = Int64(second)
      #expect(try (access(test, mortal) != nil) == counts, "second \(second)")
      #expect(try access(test, eternal) != nil)
    }
    #expect(try keys.all().map(\.isRevoked) == [false, false])
  }

  @Test func `keys are required from the first one on, also when all are revoked`() async throws {
    let test = try TestRepository()
    #expect(try !test.repository.hasAPIKeys())
    #expect(try !SQLiteStore.hasAPIKeys(path: test.path))
    let keys = try APIKeys(path: test.path, now: 1000)
    _ = try keys.create("a", project: "other", lifetimeSeconds: 1)
    #expect(try test.repository.hasAPIKeys())
    try keys.revoke(name: "a")
    #expect(try test.repository.hasAPIKeys())
    #expect(try SQLiteStore.hasAPIKeys(path: test.path))

    // Nor is it forgotten with the process.
    let reopened = try await test.reopened(now: UnixTime.seconds)
    #expect(try reopened.hasAPIKeys())
    await reopened.close()
    #expect(try SQLiteStore.hasAPIKeys(path: test.path))
  }

  @Test func `a lock that another process holds is told, and nothing is stored`() throws {
    let test = try TestRepository()
    let keys = try APIKeys(path: test.path, busyTimeoutMilliseconds: 10)
    let key = try keys.create("old")
    let outsider = try test.outsider()
    try outsider.execute("BEGIN IMMEDIATE")
    for body in [{ _ = try keys.create("new", project: "p") }, { try keys.revoke(name: "old") }] {
      let error = #expect(throws: APIKeysError.self) { try body() }
      guard case .database(.sqlite(let cause)) = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
      #expect(cause.kind == .busy)
    }
    try outsider.execute("ROLLBACK")
    #expect(try access(test, key) != nil)
    #expect(try keys.all().map(\.name) == ["old"])
    _ = try keys.create("new", project: "p")
    try keys.revoke(name: "old")
  }

  @Test func `a file that is missing, foreign or of another version is refused`() throws {
    let folder = TemporaryFolder()
    #expect(throws: DatabaseError.cannotOpen(errorNumber: ENOENT)) {
      _ = try APIKeys(path: folder.file("none.db"))
    }
    #expect(throws: DatabaseError.cannotOpen(errorNumber: ENOENT)) {
      _ = try APIKeys(path: folder.file("none/none.db"))
    }
    #expect(throws: DatabaseError.cannotOpen(errorNumber: EISDIR)) {
      _ = try APIKeys(path: folder.path)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)

    let newest = Migrations.all.count
    for (pragmas, expected) in [
      ("", DatabaseError.notMigrated(newestKnown: newest)),
      (
        "PRAGMA application_id = \(0x636f_6e76); PRAGMA user_version = \(newest - 1)",
        .notMigrated(newestKnown: newest)
      ),
      (
        "PRAGMA application_id = \(0x636f_6e76); PRAGMA user_version = \(newest + 1)",
        .migration(.newer(version: newest + 1, newestKnown: newest))
      ),
      ("PRAGMA application_id = 7", .migration(.foreign(applicationID: 7))),
    ] {
      let path = folder.file("\(UUID().uuidString).db")
      #expect(FileManager.default.createFile(atPath: path, contents: nil))
      try Connection(path: path, mode: .readWrite, busyTimeoutMilliseconds: 1000).execute(pragmas)
      let before = try Data(contentsOf: URL(filePath: path))
      #expect(throws: expected) { _ = try APIKeys(path: path) }
      if case .notMigrated = expected {
        #expect(try !SQLiteStore.hasAPIKeys(path: path))
      } else {
        #expect(throws: expected) { _ = try SQLiteStore.hasAPIKeys(path: path) }
      }
      #expect(try Data(contentsOf: URL(filePath: path)) == before)
    }
    #expect(try !SQLiteStore.hasAPIKeys(path: folder.file("none.db")))
  }
}
