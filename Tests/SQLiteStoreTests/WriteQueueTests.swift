import Conversations
import Foundation
import Repository
import SQLite
import TestSupport
import Testing

@testable import SQLiteStore

/// How requests become groups, and how a group ends.
@Suite struct WriteQueueTests {
  /// Creates conversations as one group, each with one key.
  private func createAsOneGroup(_ test: TestRepository, _ keys: [String]) async throws
    -> [RepositoryError?]
  {
    try await asOneGroup(
      on: test.repository,
      keys.map { key in
        { _ = try await $0.createConversation(metadata: metadata([key: ""]), in: .default) }
      })
  }

  @Test func `a refused request spoils nobody else's in its group`() async throws {
    let test = try TestRepository()
    try test.execute(
      """
      CREATE TRIGGER boom AFTER INSERT ON metadata WHEN NEW.key = 'boom'
      BEGIN SELECT RAISE(ABORT, 'boom'); END
      """)
    let errors = try await createAsOneGroup(test, ["a", "boom", "b"])

    #expect(errors[0] == nil)
    guard case .storage(let cause) = errors[1] else {
      Issue.record("\(String(describing: errors[1]))")
      return
    }
    #expect(cause.kind == .constraint)
    #expect(cause.description.hasSuffix(": boom"))
    #expect(errors[2] == nil)
    #expect(try test.count("conversations") == 2)
    #expect(try test.count("metadata") == 2)
  }

  @Test func `a group that SQLite takes back is stored for nobody`() async throws {
    let test = try TestRepository()
    try test.execute(
      """
      CREATE TRIGGER boom AFTER INSERT ON metadata WHEN NEW.key = 'boom'
      BEGIN SELECT RAISE(ROLLBACK, 'boom'); END
      """)
    let errors = try await createAsOneGroup(test, ["a", "boom", "b"])

    for error in errors { #expect(error != nil) }
    #expect(try test.count("conversations") == 0)
    #expect(try test.count("metadata") == 0)
    try await test.create(["c": ""])
    #expect(try test.count("metadata") == 1)
  }

  @Test func `a commit that fails is stored for nobody, and the next one goes on`() async throws {
    let test = try TestRepository()
    // A deferred constraint is the one error that SQLite reports at the commit and no earlier.
    try test.execute(
      """
      CREATE TABLE parent (number INTEGER PRIMARY KEY);
      CREATE TABLE child (parent INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
      CREATE TRIGGER boom AFTER INSERT ON metadata WHEN NEW.key = 'boom'
      BEGIN INSERT INTO child VALUES (1); END
      """)
    let errors = try await createAsOneGroup(test, ["a", "boom", "b"])

    for error in errors {
      guard case .storage(let cause) = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
      #expect(cause.kind == .constraint)
    }
    #expect(try test.count("conversations") == 0)
    #expect(try test.count("metadata") == 0)
    try await test.create(["c": ""])
    #expect(try test.count("metadata") == 1)
  }

  @Test func `a lock held past the busy timeout refuses, stores nothing, and goes away`()
    async throws
  {
    let test = try TestRepository(settings: .init(busyTimeoutMilliseconds: 20))
    let conversation = try await test.create(["a": "1"])
    let outsider = try test.outsider()
    try outsider.execute("BEGIN IMMEDIATE")
    #expect(
      await repositoryError { try await test.replace(conversation.id, [:]) }
        == .unavailable(.locked))
    #expect(try test.read(conversation.id) == conversation.metadata)

    try outsider.execute("ROLLBACK")
    try await test.replace(conversation.id, ["b": "2"])
    #expect(try test.read(conversation.id) == metadata(["b": "2"]))
  }

  @Test(arguments: [true, false])
  func `a file that is deleted or replaced takes no more writes`(isReplaced: Bool) async throws {
    let test = try TestRepository()
    let conversation = try await test.create(["a": "1"])
    try FileManager.default.moveItem(atPath: test.path, toPath: test.path + ".moved")
    if isReplaced { #expect(FileManager.default.createFile(atPath: test.path, contents: nil)) }
    #expect(
      await repositoryError { try await test.replace(conversation.id, [:]) }
        == .unavailable(.fileGone))
    #expect(throws: RepositoryError.unavailable(.fileGone)) {
      try test.repository.checkReadiness()
    }
    if isReplaced { return }

    try FileManager.default.moveItem(atPath: test.path + ".moved", toPath: test.path)
    try await test.replace(conversation.id, ["b": "2"])
    #expect(try test.read(conversation.id) == metadata(["b": "2"]))
  }

  @Test func `a full queue refuses at once`() async throws {
    let test = try TestRepository(settings: .init(waitingWritesMax: 2))
    let repository = test.repository
    let outsider = try test.outsider()
    try outsider.execute("BEGIN IMMEDIATE")
    async let first = repository.createConversation(metadata: .empty, in: .default)
    try await waitUntil { repository.writes.counts == (1, 0) }
    async let second = repository.createConversation(metadata: .empty, in: .default)
    async let third = repository.createConversation(metadata: .empty, in: .default)
    try await waitUntil { repository.writes.counts == (1, 2) }
    #expect(
      await repositoryError { try await test.create() }
        == .unavailable(.queueFull(writesMax: 2)))
    try outsider.execute("ROLLBACK")
    _ = try await (first, second, third)
    #expect(try test.count("conversations") == 3)
  }

  @Test func `what waits is committed before the file is closed`() async throws {
    let test = try TestRepository()
    let repository = test.repository
    let outsider = try test.outsider()
    try outsider.execute("BEGIN IMMEDIATE")
    async let first = repository.createConversation(metadata: .empty, in: .default)
    try await waitUntil { repository.writes.counts == (1, 0) }
    async let second = repository.createConversation(metadata: .empty, in: .default)
    try await waitUntil { repository.writes.counts == (1, 1) }
    async let closed: Void = repository.close()
    try outsider.execute("ROLLBACK")
    _ = try await (first, second)
    await closed
    #expect(try test.count("conversations") == 2)
  }

  @Test func `updates at the same time leave one of the sets`() async throws {
    let test = try TestRepository()
    let conversation = try await test.create()
    let sets = try (0..<50).map { number in
      try Metadata(
        (0..<16).map { try Metadata.Pair(key: "k\(($0 + number) % 20)", value: "\(number)") })
    }
    try await withThrowingTaskGroup { group in
      for set in sets {
        group.addTask {
          _ = try await test.repository.changeMetadata(
            of: conversation.id, in: .default, by: .replace(with: set))
          #expect(sets.contains(try test.read(conversation.id)))
        }
      }
      try await group.waitForAll()
    }
    #expect(sets.contains(try test.read(conversation.id)))
  }
}
