import Conversations
import Repository
import SQLite
import Synchronization
import TestSupport
import Testing

@testable import SQLiteStore

/// What is known of the disk, and when it is asked.
@Suite(.timeLimit(.minutes(1))) struct ReadinessTests {
  private let groups = Groups()
  private let folder = TemporaryFolder()

  private func repository() throws -> SQLiteStore {
    try SQLiteStore(
      path: folder.file("conversations.db"), settings: .init(busyTimeoutMilliseconds: 20),
      whenGroupEnded: groups.append)
  }

  private func outsider() throws -> Connection {
    try Connection(
      path: folder.file("conversations.db"), mode: .readWrite, busyTimeoutMilliseconds: 5000)
  }

  private func write(_ repository: SQLiteStore) async throws {
    _ = try await repository.createConversation(metadata: .empty, in: .default)
  }

  @Test func `an idle server writes nothing, however often it is asked`() async throws {
    let repository = try repository()
    let outsider = try outsider()
    let version = try outsider.integer("PRAGMA data_version")
    for _ in 1...1000 { try repository.checkReadiness() }
    try await Task.sleep(for: .milliseconds(100))
    #expect(try outsider.integer("PRAGMA data_version") == version)
    await repository.close()
    #expect(groups.sizes == [])
  }

  @Test func `a lock that another process holds keeps nobody waiting`() async throws {
    let repository = try repository()
    try await write(repository)
    let outsider = try outsider()
    try outsider.execute("BEGIN EXCLUSIVE")
    for _ in 1...1000 { try repository.checkReadiness() }
    try outsider.execute("ROLLBACK")
    await repository.close()
    #expect(groups.sizes == [1])
  }

  @Test func `after a write that failed a probe tells when writes go on`() async throws {
    let repository = try repository()
    let outsider = try outsider()
    try outsider.execute("BEGIN IMMEDIATE")
    #expect(await repositoryError { try await write(repository) } == .unavailable(.locked))
    #expect(throws: RepositoryError.unavailable(.locked)) { try repository.checkReadiness() }
    try outsider.execute("ROLLBACK")
    // Nobody writes, so only a probe can tell.
    try await waitUntil { (try? repository.checkReadiness()) != nil }
    await repository.close()
    #expect(groups.sizes == [1, 1])
  }

  @Test func `as long as writes fail, a probe runs once in a while`() async throws {
    let repository = try repository()
    let outsider = try outsider()
    try outsider.execute("BEGIN IMMEDIATE")
    #expect(await repositoryError { try await write(repository) } == .unavailable(.locked))
    let failure = try #require(repository.writes.lastOutcome).time
    try await waitUntil {
      #expect(throws: RepositoryError.unavailable(.locked)) { try repository.checkReadiness() }
      return repository.writes.lastOutcome.map { $0.time > failure } ?? false
    }
    // Asked a thousand times, and it was probed once.
    for _ in 1...1000 { try? repository.checkReadiness() }
    #expect(groups.sizes == [1, 1])
  }

  @Test func `a write of a client that goes through ends it at once`() async throws {
    let repository = try repository()
    let outsider = try outsider()
    try outsider.execute("BEGIN IMMEDIATE")
    #expect(await repositoryError { try await write(repository) } == .unavailable(.locked))
    try outsider.execute("ROLLBACK")
    try await write(repository)
    try repository.checkReadiness()
  }
}

/// The groups of writes that have ended, by their sizes.
private final class Groups: Sendable {
  private let stored = Mutex<[Int]>([])

  var sizes: [Int] { stored.withLock { $0 } }

  @Sendable func append(_ group: WriteGroup) {
    stored.withLock { $0.append(group.waits.count) }
  }
}
