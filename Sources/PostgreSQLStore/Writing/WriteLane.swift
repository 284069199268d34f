internal import Conversations
internal import PostgreSQL
internal import Repository
internal import Synchronization

/// Runs write groups on one connection, in two round trips for all requests of a group: one that locks
/// and reads, one that writes and commits. In between, each request is decided here, by the rules that
/// every engine keeps.
///
/// The lane's own row in `lanes` is locked from the first round trip on and holds the number of the
/// group that was committed last. When the answer to a commit is lost, `fence` on a new connection waits
/// for that lock, and so for the end of the old session, and then knows whether the group was committed.
///
/// `@unchecked Sendable` because all of it is touched by the thread of the lane alone.
final class WriteLane: @unchecked Sendable {
  private var id = makeID()
  private let connection: LaneConnection
  private let settings: StoreSettings
  private let clock = GroupClock()
  /// Answers Unix microseconds instead of the database, for tests.
  private let testClock: (@Sendable () -> Int64)?
  private let fencing: Duration
  private let counters: Counters
  private let health: Health
  private let whenGroupEnded: @Sendable (WriteGroup) -> Void

  /// How often a group that met another program's runs again before its requests run one by one.
  private static let conflictsMax = 3
  /// How often a group runs whose session is lost while it is stored.
  private static let lossesMax = 2
  /// How long the requests of a group may take that run one by one.
  private static let oneByOneMax = Duration.seconds(10)
  /// How large the items may be that a group of several requests reads to copy them.
  private static let copiedBytesMax = 4 << 20

  init(
    _ session: SessionSettings, _ settings: StoreSettings, counters: Counters, health: Health,
    clock: (@Sendable () -> Int64)?, fencing: Duration,
    whenGroupEnded: @escaping @Sendable (WriteGroup) -> Void
  ) {
    connection = LaneConnection(session, counters: counters)
    self.settings = settings
    testClock = clock
    self.fencing = fencing
    self.counters = counters
    self.health = health
    self.whenGroupEnded = whenGroupEnded
  }

  private static func makeID() -> [UInt8] {
    // Boxed: thread sanitizer looks at the address of a value that has no bytes.
    var random: any RandomNumberGenerator = SystemRandomNumberGenerator()
    return (0..<16).map { _ in UInt8.random(in: 0...255, using: &random) }
  }

  func close() {
    connection.close()
  }

  /// Runs a group and answers each of its requests.
  func run(_ group: [Write]) {
    let start = ContinuousClock.now
    let error = finish(group)
    if let error, error.isOfAllWrites { health.failed(.writing, error) }
    if error == nil { health.succeeded(.writing) }
    whenGroupEnded(
      WriteGroup(
        waits: group.map { start - $0.queuedAt }, commit: .now - start, isStored: error == nil))
  }

  /// Why an attempt to run a group failed.
  private enum Failure: Error {
    /// Nothing is stored.
    case notStored(RepositoryError, PostgreSQLError?)
    /// The answer to the commit was lost.
    case unknown(PostgreSQLError)
    /// What the requests would copy is too large for one group.
    case tooLarge
  }

  /// A group on its way to be stored.
  private struct Attempt {
    var number: Int64 = 0
    var completions: [Write.Completion] = []
  }

  /// Runs a group until it is stored or refused, and answers its requests.
  ///
  /// - Returns: Why it is refused.
  private func finish(_ group: [Write]) -> RepositoryError? {
    let deadline = (group.map(\.queuedAt).min() ?? .now) + Patience.reconnecting
    var conflicts = 0
    var losses = 0
    while true {
      var attempt = Attempt()
      do throws(Failure) {
        try run(group, &attempt, until: deadline)
        for complete in attempt.completions { complete(nil) }
        return nil
      } catch {
        switch error {
        case .tooLarge: return finishEach(group)
        case .unknown(let cause):
          switch fence(attempt.number) {
          case .committed:
            for complete in attempt.completions { complete(nil) }
            return nil
          case .notCommitted:
            counters.repeatedGroups.add(1, ordering: .relaxed)
            losses += 1
            // A session that is lost again and again, as by a request that ends the server's process.
            guard losses >= Self.lossesMax else { continue }
            guard group.count > 1 else {
              return refuse(group, .unavailable(.unreachable(EngineError(cause))))
            }
            return finishEach(group)
          case .unanswered:
            // The old session may hold the lane's row for long.
            id = Self.makeID()
            return refuse(group, .commitUnknown(EngineError(cause)))
          }
        case .notStored(let error, let cause):
          // What was lost before anything was sent to be stored is tried again, for as long as the
          // requests wait.
          if !connection.isOpen, cause != nil, .now < deadline { continue }
          if cause.map({ $0.kind == .conflict || $0.kind == .duplicate }) ?? false {
            conflicts += 1
            if conflicts < Self.conflictsMax { continue }
          }
          guard group.count > 1, connection.isOpen else { return refuse(group, error) }
          return finishEach(group)
        }
      }
    }
  }

  /// Runs each request by itself: one of them spoils the group.
  private func finishEach(_ group: [Write]) -> RepositoryError? {
    var storedCount = 0
    var lastError: RepositoryError?
    let deadline = ContinuousClock.now + Self.oneByOneMax
    for write in group {
      if let lastError, .now >= deadline {
        write.refuse(lastError)
        continue
      }
      if let error = finish([write]) { lastError = error } else { storedCount += 1 }
    }
    return storedCount > 0 ? nil : lastError
  }

  private func refuse(_ group: [Write], _ error: RepositoryError) -> RepositoryError {
    for write in group { write.refuse(error) }
    return error
  }

  // MARK: One attempt

  private func run(
    _ group: [Write], _ attempt: inout Attempt, until deadline: ContinuousClock.Instant
  ) throws(Failure) {
    do {
      try connection.open(until: deadline)
    } catch {
      throw .notStored(error.asRepositoryError, nil)
    }
    var questions = Questions()
    for (index, write) in group.enumerated() {
      questions.request = index
      write.ask(&questions)
    }
    var (number, found) = try enter(questions, isAlone: group.count == 1)
    attempt.number = number
    var changes = Changes(clock)
    attempt.completions = []
    for (index, write) in group.enumerated() {
      found.request = index
      attempt.completions.append(write.decide(found, &changes))
    }
    guard !changes.isEmpty else { return rollBack() }
    try store(changes, number)
  }

  /// Begins the transaction, locks the lane's row, and reads what the requests need to know.
  ///
  /// - Returns: The number of the group, and what was found.
  private func enter(
    _ questions: Questions, isAlone: Bool
  ) throws(Failure) -> (number: Int64, Found) {
    let results = try beforeCommit { () throws(PostgreSQLError) in
      try connection.run(
        [WriteStatements.begin.call(), WriteStatements.enterLane.call { $0.add(id) }]
          + questions.calls())
    }
    let lane = results[1]
    guard lane.count == 1 else {
      rollBack()
      _ = try beforeCommit { () throws(PostgreSQLError) in
        try connection.run([WriteStatements.makeLane.call { $0.add(id) }])
      }
      return try enter(questions, isAlone: isAlone)
    }
    clock.begin(
      atMicroseconds: testClock?() ?? lane.int64(0, 1),
      newest: ConversationID(bytes: lane.bytes(0, 2)))
    var found = Found(questions, results[2...], now: clock.databaseTime, settings)
    guard found.copiedBytes(questions) <= Self.copiedBytesMax || isAlone else {
      rollBack()
      throw .tooLarge
    }
    let calls = found.furtherCalls(questions)
    let further =
      try calls.isEmpty
      ? [] : beforeCommit { () throws(PostgreSQLError) in try connection.run(calls) }
    found.read(questions, further: further)
    return (lane.int64(0, 0) + 1, found)
  }

  /// Writes and commits, in one round trip.
  private func store(_ changes: Changes, _ number: Int64) throws(Failure) {
    let results: [Rows]
    do {
      results = try connection.run(
        changes.calls() + [
          WriteStatements.leaveLane.call {
            $0.add(id)
            $0.add(number)
            $0.add(changes.newestID?.bytes ?? [])
          }, WriteStatements.commit.call(),
        ])
    } catch {
      // The statements behind an error are not run, the commit among them. But of a session that is
      // lost nobody knows how far it came.
      guard connection.isOpen else { throw .unknown(error) }
      rollBack()
      throw .notStored(RepositoryError(error), error)
    }
    guard let commit = results.last, commit.command == "COMMIT" else {
      preconditionFailure("a transaction without an error is committed")
    }
    // PostgreSQL warns when somebody has cancelled the wait for a standby: it is committed here, and a
    // failover may lose it. On a new connection the fence waits for what is stored indeed.
    if commit.hasWarning {
      connection.close()
      throw .unknown(
        PostgreSQLError(sqlState: nil, message: "the commit ended with a warning"))
    }
  }

  /// Runs what cannot store anything by itself.
  private func beforeCommit(
    _ body: () throws(PostgreSQLError) -> [Rows]
  ) throws(Failure) -> [Rows] {
    do {
      return try body()
    } catch {
      if connection.isOpen { rollBack() }
      throw .notStored(RepositoryError(error), error)
    }
  }

  private func rollBack() {
    // A session that cannot even do that is of no use.
    do {
      _ = try connection.run([WriteStatements.rollback.call()])
    } catch {
      connection.close()
    }
  }

  // MARK: The fence

  private enum FenceResult {
    case committed
    case notCommitted
    case unanswered
  }

  /// Finds out whether a group was committed whose answer was lost.
  private func fence(_ number: Int64) -> FenceResult {
    counters.fences.add(1, ordering: .relaxed)
    let deadline = ContinuousClock.now + fencing
    repeat {
      do {
        try connection.open(until: deadline)
        let results = try connection.run([
          WriteStatements.begin.call(), WriteStatements.fence.call { $0.add(id) },
          WriteStatements.commit.call(),
        ])
        // The wait of this commit for a standby was cancelled too: it says nothing for certain.
        guard !results[2].hasWarning else {
          connection.close()
          continue
        }
        let rows = results[1]
        // Without a row the lane was never stored, or a failover has lost it.
        let last = rows.count == 1 ? rows.int64(0, 0) : 0
        if last == number {
          counters.fencesCommitted.add(1, ordering: .relaxed)
          return .committed
        }
        if last < number - 1 { counters.lostCommits.add(1, ordering: .relaxed) }
        return .notCommitted
      } catch {
        // The old session still holds the row, or nobody can be reached.
        if connection.isOpen { rollBack() }
        continue
      }
    } while .now < deadline
    return .unanswered
  }
}

extension RepositoryError {
  /// Whether other writes would fail in the same way, unlike one whose row somebody has locked or that
  /// the schema refuses.
  fileprivate var isOfAllWrites: Bool {
    switch self {
    case .unavailable(.locked): false
    case .unavailable, .storageFull, .commitUnknown: true
    default: false
    }
  }
}
