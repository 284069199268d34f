internal import Dispatch
internal import Repository
internal import SQLite
internal import Synchronization

/// Writes in the order in which they come, many to a commit: everything that waits becomes one
/// transaction, and nobody is answered before the commit has reached the disk.
///
/// A request that is refused has written nothing, so a group needs no savepoints. Only when a request
/// fails half done the group is rolled back and run again, each request in a savepoint of its own.
///
/// `@unchecked Sendable` because `writer` is touched by blocks of the serial queue alone.
final class WriteQueue: @unchecked Sendable {
  /// So that a small write waits for the large ones of one group at most.
  private static let groupBytesMax = 4 << 20

  private var writer: Writer?
  private let writesMax: Int
  private let lockTimeout: Duration
  private let isFileInPlace: @Sendable () -> Bool
  private let whenGroupEnded: @Sendable (WriteGroup) -> Void
  private let whenStopped: @Sendable () -> Void
  private let queue = DispatchQueue(label: "conversationd.writer")
  private let state = Mutex(State())

  private struct State {
    var waiting: [Write] = []
    /// How many are in the group that is on its way to the disk.
    var runningCount = 0
    /// Whether a block of the queue will come back for what waits.
    var isDraining = false
    var isClosed = false
    /// Whether a commit ended unknown.
    var isStopped = false
    /// When to stop waiting for another process's lock, once the end is near.
    var lockDeadline: ContinuousClock.Instant?
    /// Of the last group that had something to bring to the disk.
    var lastOutcome: Outcome?
    var logWriteBackError: SQLiteError?
  }

  /// How a group ended.
  struct Outcome: Sendable {
    let time: ContinuousClock.Instant
    /// nil when it is on disk.
    let error: RepositoryError?
  }

  /// A request: runs inside the group, and is answered once the group's end is known.
  private struct Write: Sendable {
    /// Also tells the request's own error. May run several times, of which the last counts.
    let run:
      @Sendable (Writer, _ inSavepoint: Bool) -> (
        complete: Completion, error: RepositoryError?
      )
    /// For a request that never ran.
    let refuse: @Sendable (RepositoryError) -> Void
    /// How much it brings, roughly.
    let bytes: Int
    let queuedAt = ContinuousClock.now
  }
  /// Answers with the group's error, or with the request's own result when there is none.
  private typealias Completion = @Sendable (RepositoryError?) -> Void

  /// - Parameters:
  ///   - writesMax: How many may wait.
  ///   - lockTimeout: How long a group waits for another process's lock.
  ///   - isFileInPlace: Asked before each group; false refuses it.
  ///   - whenGroupEnded: Called after each group, on the writer's thread.
  ///   - whenStopped: Called once when a commit ends unknown and no further write is taken.
  init(
    writer: Writer, writesMax: Int, lockTimeout: Duration,
    isFileInPlace: @escaping @Sendable () -> Bool,
    whenGroupEnded: @escaping @Sendable (WriteGroup) -> Void,
    whenStopped: @escaping @Sendable () -> Void
  ) {
    self.writer = writer
    self.writesMax = writesMax
    self.lockTimeout = lockTimeout
    self.isFileInPlace = isFileInPlace
    self.whenGroupEnded = whenGroupEnded
    self.whenStopped = whenStopped
  }

  /// Runs `body` in the next group, and returns when the group is on disk.
  ///
  /// - Parameters:
  ///   - bytes: How much it brings: a group ends when its requests bring `groupBytesMax`.
  ///   - body: Refuses what it refuses before its first change. May run several times, each time in
  ///     a transaction that has nothing of the times before, and so has no effect outside of it.
  /// - Throws: What `body` throws, and then nothing of it is stored; `.unavailable`, `.storageFull`,
  ///   `.commitUnknown`.
  func write<T: Sendable>(
    bytes: Int = 0, _ body: @escaping @Sendable (Writer) throws(RepositoryError) -> T
  ) async throws(RepositoryError) -> T {
    let result = await withCheckedContinuation { continuation in
      enqueue(
        Write(
          run: { writer, inSavepoint in
            let result = Result { () throws(RepositoryError) in
              inSavepoint ? try writer.inSavepoint(body) : try body(writer)
            }
            let complete: Completion = { error in
              continuation.resume(returning: error.map { .failure($0) } ?? result)
            }
            guard case .failure(let error) = result else { return (complete, nil) }
            return (complete, error)
          },
          refuse: { continuation.resume(returning: .failure($0)) }, bytes: bytes))
    }
    return try result.get()
  }

  /// How many writes are on their way to the disk, and how many wait for the group after that.
  var counts: (running: Int, waiting: Int) {
    state.withLock { ($0.runningCount, $0.waiting.count) }
  }

  /// How the last group ended that had something to bring to the disk.
  var lastOutcome: Outcome? { state.withLock { $0.lastOutcome } }

  /// Why the write-ahead log could not be written back when that was last tried; nil when it could.
  var logWriteBackError: SQLiteError? { state.withLock { $0.logWriteBackError } }

  /// Whether a commit ended unknown and no further write is taken.
  var isStopped: Bool { state.withLock { $0.isStopped } }

  /// Runs `body` when no group is on its way to the disk, outside of any transaction. Nothing happens
  /// once the queue is closed.
  func betweenGroups(
    _ body: @escaping @Sendable (Writer) throws(RepositoryError) -> Void
  ) async throws(RepositoryError) {
    let result = await withCheckedContinuation { continuation in
      queue.async {
        continuation.resume(
          returning: Result { () throws(RepositoryError) in
            if let writer = self.writer, !self.isStopped { try body(writer) }
          })
      }
    }
    try result.get()
  }

  /// From `timeout` on, a group that does not get the lock at once is refused.
  func hurry(within timeout: Duration) {
    state.withLock { $0.lockDeadline = .now + timeout }
  }

  /// Takes no more writes, commits those that wait, and closes the connection.
  func close() async {
    state.withLock { $0.isClosed = true }
    await withCheckedContinuation { continuation in
      queue.async {
        self.writer = nil
        continuation.resume()
      }
    }
  }

  private func enqueue(_ write: Write) {
    let refusal: RepositoryError? = state.withLock { state in
      if state.isClosed { return .unavailable(.closed) }
      if state.waiting.count >= writesMax { return .unavailable(.queueFull(writesMax: writesMax)) }
      state.waiting.append(write)
      if !state.isDraining {
        state.isDraining = true
        queue.async { self.drain() }
      }
      return nil
    }
    if let refusal { write.refuse(refusal) }
  }

  /// Runs group after group until nothing waits. What comes while one group is on its way to the
  /// disk is the next group.
  private func drain() {
    guard let writer else { preconditionFailure("the writer closes after the last write") }
    while let group = nextGroup() {
      run(group, on: writer)
    }
  }

  private func nextGroup() -> [Write]? {
    state.withLock { state in
      var bytes = 0
      let end =
        state.waiting.firstIndex { write in
          bytes += write.bytes
          return bytes > Self.groupBytesMax
        } ?? state.waiting.count
      // One that brings more by itself is a group of its own.
      let count = min(max(end, 1), state.waiting.count)
      state.runningCount = count
      guard count > 0 else {
        state.isDraining = false
        return nil
      }
      defer { state.waiting.removeFirst(count) }
      return Array(state.waiting.prefix(count))
    }
  }

  private func run(_ group: [Write], on writer: Writer, inSavepoints: Bool = false) {
    let start = ContinuousClock.now
    var completions: [Completion] = []
    var groupError: RepositoryError?
    var hasChanges = false
    /// Of a request that found the disk, the memory or the file missing.
    var lack: RepositoryError?
    do throws(RepositoryError) {
      try begin(writer)
      for write in group {
        let changeCount = writer.changeCount
        let (complete, error) = write.run(writer, inSavepoints)
        completions.append(complete)
        guard let error else { continue }
        // SQLite took everybody's work back together with the one request that failed; after a
        // damaged page it may refuse to commit, which would leave the group's end unknown.
        if writer.hasLostGroup || error.isDamage { throw error }
        if case .unavailable = error { lack = error }
        if inSavepoints || writer.changeCount == changeCount { continue }
        // It failed half done, which must not be committed with the others' work.
        writer.rollBackGroup()
        if group.count > 1 { return run(group, on: writer, inSavepoints: true) }
      }
      hasChanges = writer.groupHasChanges
      // A commit that failed would be the last one: none is tried where there is nothing to store.
      if hasChanges { try commit(writer) } else { writer.rollBackGroup() }
    } catch {
      writer.rollBackGroup()
      // A damaged page is the fault of the one who needs it: each has a group of his own then.
      if error.isDamage, group.count > 1 {
        for write in group { run([write], on: writer) }
        return
      }
      groupError = error
    }
    let end = ContinuousClock.now
    if groupError.map({ !$0.isDamage }) ?? (hasChanges || lack != nil) {
      state.withLock { state in
        state.lastOutcome = Outcome(time: end, error: groupError ?? (hasChanges ? nil : lack))
        state.logWriteBackError = writer.logWriteBackError
      }
    }
    for complete in completions { complete(groupError) }
    if let groupError {
      for write in group.dropFirst(completions.count) { write.refuse(groupError) }
      if case .commitUnknown = groupError { stop(writer) }
    }
    whenGroupEnded(
      WriteGroup(
        waits: group.map { start - $0.queuedAt }, commit: end - start, isStored: groupError == nil))
  }

  /// Takes the lock. SQLite waits for it in short pieces, so that an end that comes near meanwhile
  /// is noticed.
  private func begin(_ writer: Writer) throws(RepositoryError) {
    guard isFileInPlace() else { throw .unavailable(.fileGone) }
    let deadline = ContinuousClock.now + lockTimeout
    while true {
      do {
        return try writer.beginGroup()
      } catch {
        let isOver = min(deadline, state.withLock { $0.lockDeadline } ?? deadline) <= .now
        if isOver || error.kind != .busy { throw RepositoryError(EngineError(error)) }
      }
    }
  }

  /// A lock that is not to be had, a full disk and a broken constraint leave nothing behind (the
  /// log's commit record is not whole). After any other error it may have reached the disk or not.
  private func commit(_ writer: Writer) throws(RepositoryError) {
    do {
      try writer.commitGroup()
    } catch {
      switch error.kind {
      case .busy, .full, .constraint: throw RepositoryError(EngineError(error))
      default: throw .commitUnknown(EngineError(error))
      }
    }
  }

  private func stop(_ writer: Writer) {
    writer.leaveToRecovery()
    let waiting = state.withLock { state in
      state.isClosed = true
      state.isStopped = true
      defer { state.waiting = [] }
      return state.waiting
    }
    for write in waiting { write.refuse(.unavailable(.closed)) }
    whenStopped()
  }
}
