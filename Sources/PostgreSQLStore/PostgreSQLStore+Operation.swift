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
    for table in ["idempotency_keys", "append_idempotency_keys"] {
      try await forget(
        OldRows(table: table, key: ["project", "key"], time: "created_at", before: oldest + 1))
    }
  }

  /// Deletes rows that are too old, some at a time, until there are none but those that somebody has
  /// locked: other programs do the same, and those stay for the next time.
  func forget(_ old: OldRows) async throws(RepositoryError) {
    // A query looks, so that an idle server writes nothing.
    while try await query({ session throws(RepositoryError) in
      try session.run([old.exist])[0].bool(0, 0)
    }), !Task.isCancelled {
      let count = try await write(
        resources: [],
        ask: { $0.others.append(($0.request, old.lock)) },
        decide: { found, changes in
          let count = found.own.int64(0, 0)
          if count > 0 { changes.run(old.delete) }
          return count
        })
      guard count == OldRows.deletedMax else { return }
      try? await Task.sleep(for: DeletionSlice.pause)
    }
  }

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

/// The rows of a table that are too old.
struct OldRows: Sendable {
  /// How many are deleted at a time.
  static let deletedMax = 100

  let table: String
  /// The columns of its primary key.
  let key: [String]
  /// The column that says how old a row is.
  let time: String
  /// The first time that is not too old.
  let before: Int64

  /// The oldest of those that nobody has locked.
  private var oldest: String {
    """
    SELECT \(key.joined(separator: ", ")) FROM \(table) WHERE \(time) < $1::bigint
    ORDER BY \(time) LIMIT \(Self.deletedMax) FOR UPDATE SKIP LOCKED
    """
  }

  /// Says whether there are any.
  var exist: Call {
    call("SELECT EXISTS (SELECT 1 FROM \(table) WHERE \(time) < $1::bigint)")
  }

  /// Locks some, and counts them.
  var lock: Call { call("SELECT count(*) FROM (\(oldest)) AS old") }

  /// Deletes those that are locked.
  var delete: Call {
    let isSame = key.map { "t.\($0) = old.\($0)" }.joined(separator: " AND ")
    return call("DELETE FROM \(table) AS t USING (\(oldest)) AS old WHERE \(isSame)")
  }

  private func call(_ sql: String) -> Call { .once(sql) { $0.add(before) } }
}
