import Conversations
import Foundation
import SQLite
import TestSupport
import Testing

@testable import Repository

/// Writes that wait while an outsider holds the lock become one group: so each test decides what is
/// in a group.
@Suite struct WriteQueueTests {
  /// Runs writes as one group.
  private func asOneGroup(
    _ test: TestRepository, _ keys: [String]
  ) async throws -> [Result<Conversation, any Error>] {
    let repository = test.repository
    let outsider = try test.outsider()
    // The first write takes the writer to the lock; those that come meanwhile are the next group.
    try outsider.execute("BEGIN IMMEDIATE")
    async let first = repository.createConversation(metadata: .empty, in: .default)
    try await waitUntil { repository.writes.counts == (1, 0) }
    let results = try await withThrowingTaskGroup { group in
      for (index, key) in keys.enumerated() {
        let set = try metadata([key: ""])
        group.addTask {
          do {
            let answer = try await repository.createConversation(metadata: set, in: .default)
            return (index, Result<Conversation, any Error>.success(answer))
          } catch {
            return (index, .failure(error))
          }
        }
      }
      try await waitUntil { repository.writes.counts.waiting == keys.count }
      try outsider.execute("ROLLBACK")
      return try await group.reduce(into: []) { $0.append($1) }
    }
    _ = try? await first
    return results.sorted { $0.0 < $1.0 }.map(\.1)
  }

  private func error(_ result: Result<Conversation, any Error>) -> RepositoryError? {
    guard case .failure(let error) = result else { return nil }
    return error as? RepositoryError
  }

  @Test func `a refused request spoils nobody else's in its group`() async throws {
    let test = try TestRepository()
    try test.execute(
      """
      CREATE TRIGGER boom AFTER INSERT ON metadata WHEN NEW.key = 'boom'
      BEGIN SELECT RAISE(ABORT, 'boom'); END
      """)
    let results = try await asOneGroup(test, ["a", "boom", "b"])

    #expect(error(results[0]) == nil)
    guard case .storage(let cause) = error(results[1]) else {
      Issue.record("\(results[1])")
      return
    }
    #expect(cause.kind == .constraint)
    #expect(cause.message == "boom")
    #expect(error(results[2]) == nil)
    #expect(try test.count("conversations") == 3)
    #expect(try test.count("metadata") == 2)
  }

  @Test func `a group that SQLite takes back is stored for nobody`() async throws {
    let test = try TestRepository()
    try test.execute(
      """
      CREATE TRIGGER boom AFTER INSERT ON metadata WHEN NEW.key = 'boom'
      BEGIN SELECT RAISE(ROLLBACK, 'boom'); END
      """)
    let results = try await asOneGroup(test, ["a", "boom", "b"])

    for result in results { #expect(error(result) != nil) }
    #expect(try test.count("conversations") == 1)
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
    let results = try await asOneGroup(test, ["a", "boom", "b"])

    for result in results {
      guard case .storage(let cause) = error(result) else {
        Issue.record("\(result)")
        continue
      }
      #expect(cause.kind == .constraint)
    }
    #expect(try test.count("conversations") == 1)
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
