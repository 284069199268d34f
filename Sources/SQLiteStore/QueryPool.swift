internal import Dispatch
internal import Repository
internal import SQLite
internal import Synchronization

/// A few threads for queries, which may take long, so that they hold up neither the event loops nor
/// the writer. A query that finds all threads busy waits, and its deadline runs meanwhile.
final class QueryPool: Sendable {
  private let path: String
  private let busyTimeoutMilliseconds: Int
  private let timeout: Duration
  private let lanes: [Lane]
  private let state: Mutex<State>
  /// Whether every query ends now, whatever its deadline.
  private let isCutOff = Atomic(false)

  private struct State {
    var idle: [Lane]
    var waiting: [Query] = []
  }

  private typealias Query = @Sendable (Lane) -> Void

  /// Whether the task that waits for a query was cancelled.
  private final class Cancellation: Sendable {
    let isOver = Atomic(false)
  }

  /// One thread with its reader.
  ///
  /// `@unchecked Sendable` because `reader` is touched by blocks of the serial queue alone. A
  /// serial queue brings a thread of its own; a concurrent one would share the few that Swift's
  /// concurrency has, which end the requests of others.
  private final class Lane: @unchecked Sendable {
    let queue: DispatchQueue
    var reader: QueryReader?

    init(number: Int) {
      queue = DispatchQueue(label: "conversationd.query.\(number)")
    }
  }

  /// - Parameters:
  ///   - threads: How many queries run at the same time.
  ///   - timeout: How long a query may take, the time included that it waits for a thread.
  init(path: String, busyTimeoutMilliseconds: Int, threads: Int, timeout: Duration) {
    self.path = path
    self.busyTimeoutMilliseconds = busyTimeoutMilliseconds
    self.timeout = timeout
    lanes = (1...threads).map(Lane.init)
    state = Mutex(State(idle: lanes))
  }

  /// Runs `body` on one of the threads. It has to end when the task is cancelled.
  ///
  /// - Parameters:
  ///   - timeout: How long it may take; nil for what the pool allows.
  ///   - body: Gets a reader, and a function that tells when it has to end.
  func run<T: Sendable>(
    within timeout: Duration? = nil,
    _ body: @escaping @Sendable (QueryReader, () -> Bool) throws(RepositoryError) -> T
  ) async throws(RepositoryError) -> T {
    let deadline = ContinuousClock.now + (timeout ?? self.timeout)
    let cancellation = Cancellation()
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        enqueue { lane in
          let result = Result { () throws(RepositoryError) in
            let reader = try self.reader(of: lane)
            return try body(reader) {
              ContinuousClock.now >= deadline || cancellation.isOver.load(ordering: .relaxed)
                || self.isCutOff.load(ordering: .relaxed)
            }
          }
          continuation.resume(returning: result)
        }
      }
    } onCancel: {
      cancellation.isOver.store(true, ordering: .relaxed)
    }
    if case .failure(.queryTimeout) = result, isCutOff.load(ordering: .relaxed) {
      // An end that is not the query's own: the next server may answer it.
      throw .unavailable(.closed)
    }
    return try result.get()
  }

  /// From `timeout` on, every query ends at once.
  func hurry(within timeout: Duration) {
    DispatchQueue.global().asyncAfter(deadline: .now() + timeout / .seconds(1)) {
      self.isCutOff.store(true, ordering: .relaxed)
    }
  }

  /// Closes the readers. No query may run any more; a lane whose last one was answered a moment ago
  /// is not idle yet.
  func close() {
    for lane in lanes { lane.queue.sync { lane.reader = nil } }
  }

  private func enqueue(_ query: @escaping Query) {
    let lane: Lane? = state.withLock { state in
      guard let lane = state.idle.popLast() else {
        state.waiting.append(query)
        return nil
      }
      return lane
    }
    guard let lane else { return }
    lane.queue.async {
      query(lane)
      while let query = self.next(for: lane) { query(lane) }
    }
  }

  /// - Returns: nil when nothing waits, and the lane is idle then.
  private func next(for lane: Lane) -> Query? {
    state.withLock { state in
      guard !state.waiting.isEmpty else {
        state.idle.append(lane)
        return nil
      }
      return state.waiting.removeFirst()
    }
  }

  private func reader(of lane: Lane) throws(RepositoryError) -> QueryReader {
    if let reader = lane.reader { return reader }
    let reader = try rethrowing { () throws(SQLiteError) in
      try QueryReader(path: path, busyTimeoutMilliseconds: busyTimeoutMilliseconds)
    }
    lane.reader = reader
    return reader
  }
}
