internal import Conversations
internal import PostgreSQL
public import Repository
internal import Synchronization

extension PostgreSQLStore {
  /// Tells whether reads and writes succeed, from what is known, without waiting.
  ///
  /// When the latest knowledge is older than a second, the server is asked in the background; what it
  /// says counts from the next call on. It is asked to write only after a write that failed.
  public func checkReadiness() throws(RepositoryError) {
    let (readError, isReadOld) = health.latest(.reading)
    let (writeError, isWriteOld) = health.latest(.writing)
    if isReadOld || writeError != nil && isWriteOld { probe(writes: writeError != nil) }
    if let error = writeError ?? readError { throw error }
  }

  /// Begins to ask the server, unless somebody does already.
  private func probe(writes: Bool) {
    guard !isProbing.exchange(true, ordering: .relaxed) else { return }
    Task {
      // The lanes keep the outcome.
      _ = await look(LookUp(key: nil)).result
      if writes {
        try? await write(
          resources: [], ask: { _ in },
          decide: { _, changes in changes.run(.once("SELECT 1")) })
      }
      isProbing.store(false, ordering: .relaxed)
    }
  }

  /// How things stand, for whoever watches.
  public var state: StoreState {
    func value(_ counter: borrowing Atomic<Int>) -> Int { counter.load(ordering: .relaxed) }
    return StoreState(
      waitingWrites: writes.waitingCount,
      measures: [
        StoreMeasure(
          "postgresql_connections", .gauge, "Connections that the lanes may have.",
          settings.readLanes + settings.writeLanes + settings.queryLanes),
        StoreMeasure(
          "postgresql_look_ups_total", .counter, "Look-ups of keys, conversations and items.",
          value(counters.lookUps)),
        StoreMeasure(
          "postgresql_look_up_groups_total", .counter, "Groups of look-ups, a statement each.",
          value(counters.lookUpGroups)),
        StoreMeasure(
          "postgresql_reconnects_total", .counter, "Connections that were made anew.",
          value(counters.reconnects)),
        StoreMeasure(
          "postgresql_fences_total", .counter, "Commits whose answer was lost.",
          value(counters.fences)),
        StoreMeasure(
          "postgresql_fences_committed_total", .counter,
          "Commits whose answer was lost and that were found stored.",
          value(counters.fencesCommitted)),
        StoreMeasure(
          "postgresql_repeated_groups_total", .counter,
          "Write groups that ran again since their commit was lost and not stored.",
          value(counters.repeatedGroups)),
        StoreMeasure(
          "postgresql_lost_groups_total", .counter,
          "Write groups that were answered and that a failover has lost.",
          value(counters.lostCommits)),
      ])
  }

  /// Forgets idempotency keys that are too old, in small steps between which other writes run.
  public func forgetOldIdempotencyKeys() async throws(RepositoryError) {
    let oldest = try await databaseSeconds() - Int64(settings.shared.idempotencySeconds)
    let count = QueryStatements.countOldKeys.call {
      $0.add(oldest)
      $0.add(Self.countedMax)
    }
    let tables = ["idempotency_keys", "append_idempotency_keys"]
    try await forget(counted: count, by: tables.map { Self.forget(in: $0, through: oldest) })
  }

  /// Deletes rows that are too old, some at a time, until there are none.
  ///
  /// - Parameters:
  ///   - count: Answers how many there are, counted up to `countedMax`.
  ///   - calls: Delete some.
  func forget(counted count: Call, by calls: [Call]) async throws(RepositoryError) {
    var left = Int64.max
    while !Task.isCancelled {
      let found = try await query { session throws(RepositoryError) in
        try session.run([count])[0].int64(0, 0)
      }
      // What somebody has locked stays for the next time.
      guard found > 0, found < left || found >= Self.countedMax else { return }
      left = found
      try await write(
        resources: [], ask: { _ in },
        decide: { _, changes in for call in calls { changes.run(call) } })
    }
  }

  /// How many rows of a table are forgotten at a time.
  static let forgottenMax = 100

  /// Other programs do the same; what one of them is about is left to it.
  private static func forget(in table: String, through oldest: Int64) -> Call {
    .once(
      """
      DELETE FROM \(table) AS k USING (
        SELECT project, key FROM \(table) WHERE created_at <= $1::bigint
        ORDER BY created_at LIMIT \(forgottenMax) FOR UPDATE SKIP LOCKED
      ) AS old
      WHERE k.project = old.project AND k.key = old.key
      """
    ) { $0.add(oldest) }
  }

  /// How far what is too old is counted.
  static let countedMax: Int64 = 1000

  func databaseSeconds() async throws(RepositoryError) -> Int64 {
    if let clock { return clock() / 1_000_000 }
    return try await query { session throws(RepositoryError) in
      try session.run([.once("SELECT floor(extract(epoch FROM now()))::bigint")])[0].int64(0, 0)
    }
  }

  /// Drops the rows of lanes that are long gone, and looks at how durable a commit is.
  ///
  /// - Returns: What can lose answered writes.
  public func tidyUp() async -> [StoreProblem] {
    do {
      try await write(
        resources: [], ask: { _ in },
        decide: { _, changes in changes.run(.once(Self.dropOldLanes)) })
      let rows = try await query { session throws(RepositoryError) in
        let rows = try session.run([.once(Self.durability)])[0]
        return (0..<3).map { rows.bool(0, $0) }
      }
      return lostGroups
        + Self.problems(isSynced: rows[0], isWaitedFor: rows[1], isReplicatedLater: rows[2])
    } catch {
      // The requests of others tell the same.
      return []
    }
  }

  /// What a failover has lost of what was answered.
  private var lostGroups: [StoreProblem] {
    let count = counters.lostCommits.load(ordering: .relaxed)
    guard count > 0 else { return [] }
    return [
      StoreProblem(
        "a failover has lost answered writes",
        cause: "\(count) groups of writes that were committed are not in the database",
        isUrgent: true)
    ]
  }

  /// The newest id stays known, whichever lane made it.
  private static let dropOldLanes = """
    DELETE FROM lanes WHERE lane IN (
      SELECT lane FROM lanes
      WHERE used_at < now() - interval '7 days'
        AND newest < (SELECT newest FROM lanes ORDER BY newest DESC LIMIT 1)
      FOR UPDATE SKIP LOCKED
    )
    """

  /// Whether the server's disk is waited for, whether a commit waits for that, and whether there is a
  /// standby that no commit waits for.
  private static let durability = """
    SELECT current_setting('fsync') = 'on', current_setting('synchronous_commit') <> 'off',
      EXISTS (SELECT 1 FROM pg_stat_replication)
        AND (current_setting('synchronous_standby_names') = ''
          OR current_setting('synchronous_commit') = 'local')
    """

  private static func problems(
    isSynced: Bool, isWaitedFor: Bool, isReplicatedLater: Bool
  ) -> [StoreProblem] {
    var problems: [StoreProblem] = []
    if !isSynced {
      problems.append(
        StoreProblem(
          "a crash of the database's machine can lose answered writes and damage the database",
          cause: "fsync is off", isUrgent: true))
    }
    if !isWaitedFor {
      problems.append(
        StoreProblem(
          "a crash of the database can lose answered writes", cause: "synchronous_commit is off",
          isUrgent: true))
    }
    if isReplicatedLater {
      problems.append(
        StoreProblem(
          "a failover can lose answered writes",
          cause:
            "there is a standby, and no commit waits for it: synchronous_standby_names is empty",
          isUrgent: false))
    }
    return problems
  }
}
