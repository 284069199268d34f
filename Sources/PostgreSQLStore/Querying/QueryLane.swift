internal import PostgreSQL
internal import Repository
internal import Synchronization

/// A query that waits for a lane.
struct Query: LaneRequest {
  /// Runs on the lane's thread and answers; the error is why there is no connection.
  let run: @Sendable (QuerySession) -> Void
  let refuse: @Sendable (RepositoryError) -> Void
  let deadline: ContinuousClock.Instant
  /// How long a statement of it, or the server to come back, is waited for.
  let statementTimeout: Duration
  /// Whether nobody waits for it any more.
  let isCancelled: @Sendable () -> Bool

  var resources: [Never] { [] }
  var bytes: Int { 0 }
}

/// The connection of a query lane, as one query uses it.
struct QuerySession {
  fileprivate let connection: LaneConnection
  /// When the query has to end.
  let deadline: ContinuousClock.Instant
  fileprivate let statementTimeout: Duration
  fileprivate let isCutOff: @Sendable () -> Bool
  fileprivate var isInSnapshot = false

  /// - Parameters:
  ///   - connection: One that is open.
  ///   - deadline: When the query has to end.
  ///   - statementTimeout: How long one statement, or the server to come back, is waited for, if the
  ///     deadline is later.
  ///   - isCutOff: Whether it has to end before.
  init(
    _ connection: LaneConnection, deadline: ContinuousClock.Instant,
    statementTimeout: Duration = .seconds(3600),
    isCutOff: @escaping @Sendable () -> Bool = { false }
  ) {
    self.connection = connection
    self.deadline = deadline
    self.statementTimeout = statementTimeout
    self.isCutOff = isCutOff
  }

  /// Whether the query has to end.
  var isOver: Bool { .now >= deadline || isCutOff() }

  /// Whether a connection that was lost is there again in time: queries change nothing, so one that was
  /// interrupted is asked again.
  var isBackAfterLoss: Bool {
    guard !connection.isOpen, !isOver else { return false }
    do {
      try connection.open(until: min(deadline, .now + statementTimeout))
      return true
    } catch {
      return false
    }
  }

  /// Runs statements, each as of its own moment.
  ///
  /// - Throws: `.queryTimeout`.
  func run(_ calls: [Call]) throws(RepositoryError) -> [Rows] {
    guard !isOver else { throw .queryTimeout }
    do {
      let left = min(statementTimeout, ContinuousClock.now.duration(to: deadline))
      return try connection.run(calls, within: max(Patience.answering, left + .seconds(5)))
    } catch {
      if error.kind == .cancelled { throw .queryTimeout }
      throw RepositoryError(error)
    }
  }

  /// Runs `body` in one transaction that sees the database as of one moment, also inside another
  /// such one.
  func inSnapshot<Value>(
    _ body: (QuerySession) throws(RepositoryError) -> Value
  ) throws(RepositoryError) -> Value {
    if isInSnapshot { return try body(self) }
    _ = try run([QueryStatements.begin.call()])
    // It only reads: there is nothing that its end could fail to store.
    defer {
      if connection.isOpen { _ = try? connection.run([QueryStatements.rollback.call()]) }
    }
    var session = self
    session.isInSnapshot = true
    return try body(session)
  }
}

/// Answers queries, one after another, on one connection.
///
/// `@unchecked Sendable` because the connection is touched by the thread of the lane alone.
final class QueryLane: @unchecked Sendable {
  private let connection: LaneConnection
  private let health: Health
  private let isCutOff: @Sendable () -> Bool

  init(
    _ settings: SessionSettings, counters: Counters, health: Health,
    isCutOff: @escaping @Sendable () -> Bool
  ) {
    connection = LaneConnection(settings, counters: counters)
    self.health = health
    self.isCutOff = isCutOff
  }

  func close() {
    connection.close()
  }

  func run(_ queries: [Query]) {
    for query in queries {
      // One that has waited for too long, or that nobody waits for any more, needs no connection.
      if isCutOff() || .now >= query.deadline {
        query.refuse(isCutOff() ? .unavailable(.closed) : .queryTimeout)
        continue
      }
      do {
        try connection.open(until: min(query.deadline, .now + query.statementTimeout))
        query.run(
          QuerySession(
            connection, deadline: query.deadline, statementTimeout: query.statementTimeout
          ) { [isCutOff] in isCutOff() || query.isCancelled() })
      } catch {
        health.failed(.reading, error.asRepositoryError)
        query.refuse(error.asRepositoryError)
      }
    }
  }
}
