internal import Conversations
internal import SQLite

/// The appends that carried an idempotency key, inside the writer's transactions.
final class AppendKeyTable {
  /// How many keys are forgotten at a time.
  private static let forgottenMax = 100

  private let retentionSeconds: Int64
  private let select: Statement
  private let insert: Statement
  private let delete: Statement
  private let deleteOldest: Statement

  /// - Parameter retentionSeconds: How long a key is remembered.
  init(_ connection: borrowing Connection, retentionSeconds: Int) throws(SQLiteError) {
    self.retentionSeconds = Int64(retentionSeconds)
    select = try connection.prepare(
      """
      SELECT request_hash, first_item, last_item FROM append_idempotency_keys
      WHERE project = :project AND key = :key AND created_at > :oldest
      """)
    insert = try connection.prepare(
      """
      INSERT INTO append_idempotency_keys
        (project, key, request_hash, conversation, first_item, last_item, created_at)
      VALUES (:project, :key, :request_hash, :conversation, :first_item, :last_item, :created_at)
      """)
    delete = try connection.prepare(
      "DELETE FROM append_idempotency_keys WHERE project = :project AND key = :key")
    deleteOldest = try connection.prepare(
      """
      DELETE FROM append_idempotency_keys WHERE rowid IN (
        SELECT rowid FROM append_idempotency_keys INDEXED BY append_idempotency_keys_by_age
        WHERE created_at <= :oldest ORDER BY created_at LIMIT \(Self.forgottenMax))
      """)
  }

  /// Finds the numbers of the items that were added under a key.
  ///
  /// - Returns: nil when the key is new, or so old that it counts as new.
  /// - Throws: `.idempotencyKeyReused` when it was used for another request.
  func numbers(
    of key: IdempotencyKey, in project: ProjectID, now: Int64
  ) throws(RepositoryError) -> Range<Int64>? {
    defer { select.reset() }
    let isKnown = try rethrowing { () throws(SQLiteError) in
      select.bind(":project", project.number)
      try select.bind(":key", key.text)
      select.bind(":oldest", now - retentionSeconds)
      return try select.step()
    }
    guard isKnown else { return nil }
    guard select.text(0) == key.requestHash else { throw .idempotencyKeyReused }
    return select.integer(1)..<select.integer(2) + 1
  }

  /// Remembers what was added, instead of what is too old.
  ///
  /// - Parameter numbers: Of the items; nil when none was added.
  func remember(
    _ numbers: ClosedRange<Int64>?, of key: IdempotencyKey, in project: ProjectID,
    conversation: Int64, now: Int64
  ) throws(SQLiteError) {
    delete.bind(":project", project.number)
    try delete.bind(":key", key.text)
    try delete.run()
    insert.bind(":project", project.number)
    try insert.bind(":key", key.text)
    try insert.bind(":request_hash", key.requestHash)
    insert.bind(":conversation", conversation)
    insert.bind(":first_item", numbers?.lowerBound ?? 0)
    insert.bind(":last_item", numbers?.upperBound ?? -1)
    insert.bind(":created_at", now)
    try insert.run()
  }

  /// Forgets some of the keys of that time or before.
  func forget(through oldest: Int64) throws(SQLiteError) {
    deleteOldest.bind(":oldest", oldest)
    try deleteOldest.run()
  }
}
