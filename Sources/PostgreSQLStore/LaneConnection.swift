internal import Glibc
internal import PostgreSQL
internal import Repository
internal import Synchronization

/// The connection of a lane: opened when it is first needed, and again after it was lost. Used by the
/// thread of the lane alone.
final class LaneConnection {
  private let settings: SessionSettings
  private let counters: Counters
  private var connection: Connection?
  private var wasOpened = false

  init(_ settings: SessionSettings, counters: Counters) {
    self.settings = settings
    self.counters = counters
  }

  /// Runs statements; a connection that is lost meanwhile is closed.
  ///
  /// - Throws: Also when there is none: what ran before may have lost it.
  func run(
    _ calls: [Call], within timeout: Duration = Patience.answering
  ) throws(PostgreSQLError) -> [Rows] {
    guard isOpen else {
      throw PostgreSQLError(
        sqlState: nil, message: "the connection was lost", isConnectionLost: true)
    }
    do {
      return try connection!.run(calls, within: timeout)
    } catch {
      // A demoted primary keeps its sessions; only a new one may lead to the new primary.
      if error.kind == .connection || error.kind == .readOnly { close() }
      throw error
    }
  }

  private static let answeringMin = Duration.seconds(2)

  /// Whether there is a connection that was not lost yet.
  var isOpen: Bool { connection != nil }

  func close() {
    connection = nil
  }

  /// Connects if need be, again and again until a moment, at least once.
  ///
  /// - Throws: Why the last attempt failed.
  func open(until deadline: ContinuousClock.Instant) throws(PostgreSQLStoreError) {
    while connection == nil {
      do {
        // Not so short that a busy server is given up at once.
        let left = max(ContinuousClock.now.duration(to: deadline), Self.answeringMin)
        connection = try settings.open(within: min(left, Patience.answering))
        if wasOpened { counters.reconnects.add(1, ordering: .relaxed) }
        wasOpened = true
      } catch {
        guard error.isTemporary, .now + Patience.betweenAttempts < deadline else { throw error }
        usleep(UInt32(Patience.betweenAttempts / .microseconds(1)))
      }
    }
  }
}

extension PostgreSQLStoreError {
  /// Whether a later attempt may succeed without anybody's doing.
  var isTemporary: Bool {
    if case .server = self { true } else { false }
  }

  /// The error of the requests that need the database now.
  var asRepositoryError: RepositoryError {
    switch self {
    case .server(let error), .migration(_, let error): .unavailable(.unreachable(error))
    default: .unavailable(.unreachable(EngineError(.cannotOpen, description)))
    }
  }
}

/// What the lanes have done since the start.
final class Counters: Sendable {
  let reconnects = Atomic(0)
  let fences = Atomic(0)
  let fencesCommitted = Atomic(0)
  let repeatedGroups = Atomic(0)
  let lookUps = Atomic(0)
  let lookUpGroups = Atomic(0)
  let lostCommits = Atomic(0)
}
