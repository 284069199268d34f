import SQLite
import Synchronization
import TestSupport
import Testing

@testable import Repository

/// How often the disk is asked whether it takes writes; `WriteQueueTests` has what it answers.
@Suite(.timeLimit(.minutes(1))) struct ReadinessTests {
  private let folder = TemporaryFolder()
  private let groups = Groups()

  private func repository(busyTimeoutMilliseconds: Int = 60_000) throws -> Repository {
    try Repository(
      path: folder.file("conversations.db"),
      settings: .init(busyTimeoutMilliseconds: busyTimeoutMilliseconds),
      whenGroupEnded: groups.append)
  }

  private func outsider() throws -> Connection {
    try Connection(
      path: folder.file("conversations.db"), mode: .readWrite, busyTimeoutMilliseconds: 5000)
  }

  /// Asks many times at once, and returns what was wrong.
  private func ask(_ repository: Repository, times: Int = 200) async -> [RepositoryError?] {
    await withTaskGroup { group in
      for _ in 0..<times {
        group.addTask { @concurrent in
          await repositoryError { try await repository.checkReadiness() }
        }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
  }

  @Test func `many who ask at once make one probe, also when nothing is known yet`() async throws {
    let repository = try repository()
    #expect(await ask(repository).allSatisfy { $0 == nil })
    await repository.close()
    #expect(groups.sizes == [1])
  }

  /// They wait for it, since nobody knows anything.
  @Test func `those who ask during the first probe are told what it finds`() async throws {
    let repository = try repository()
    let outsider = try outsider()
    try outsider.execute("BEGIN IMMEDIATE")
    async let answers = ask(repository)
    try await waitUntil { repository.writes.counts.running > 0 }
    try outsider.execute("ROLLBACK")
    #expect(await answers.allSatisfy { $0 == nil })
    await repository.close()
    #expect(groups.sizes == [1])
  }

  @Test func `when the last outcome is old, many who ask at once make one probe`() async throws {
    let repository = try repository()
    try await repository.checkReadiness()
    try await passes(Repository.readinessAge, since: repository)
    #expect(await ask(repository).allSatisfy { $0 == nil })
    await repository.close()
    #expect(groups.sizes == [1, 1])
  }

  /// One that is ready, and one that is not since the lock was held before.
  @Test(arguments: [true, false])
  func `while a probe waits for a lock, others are told the last outcome and do not queue`(
    wasReady: Bool
  ) async throws {
    let repository = try repository(busyTimeoutMilliseconds: 2000)
    let outsider = try outsider()
    if wasReady {
      try await repository.checkReadiness()
      try outsider.execute("BEGIN IMMEDIATE")
    } else {
      try outsider.execute("BEGIN IMMEDIATE")
      #expect(
        await repositoryError { try await repository.checkReadiness() } == .unavailable(.locked))
    }
    try await passes(
      wasReady ? Repository.readinessAge : Repository.failureAge, since: repository)
    async let probe = repositoryError { try await repository.checkReadiness() }
    try await waitUntil { repository.writes.counts == (1, 0) }

    let answers = await ask(repository)
    #expect(repository.writes.counts == (1, 0), "they were told before the probe ended")
    #expect(answers.allSatisfy { $0 == (wasReady ? nil : .unavailable(.locked)) })

    try outsider.execute("ROLLBACK")
    #expect(await probe == nil)
    // What it found counts from now on.
    #expect(await ask(repository).allSatisfy { $0 == nil })
    await repository.close()
    #expect(groups.sizes == [1, 1])
  }

  /// Waits until the last outcome is as old as that.
  private func passes(_ age: Duration, since repository: Repository) async throws {
    let time = try #require(repository.writes.lastOutcome).time
    try await waitUntil { .now - time > age }
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
