internal import Conversations
internal import Repository
internal import SQLite

/// The appends that carried an idempotency key, inside the writer's transactions.
final class AppendKeyTable {
  private let records: IdempotencyRecords

  /// - Parameter retentionSeconds: How long a key is remembered.
  init(_ connection: borrowing Connection, retentionSeconds: Int) throws(SQLiteError) {
    records = try IdempotencyRecords(
      connection, table: "append_idempotency_keys", columns: ["first_item", "last_item"],
      retentionSeconds: retentionSeconds)
  }

  /// Finds the numbers of the items that were added under a key.
  ///
  /// - Returns: nil when the key is new, or so old that it counts as new.
  /// - Throws: `.idempotencyKeyReused` when it was used for another request.
  func numbers(
    of key: IdempotencyKey, in project: ProjectID, now: Int64
  ) throws(RepositoryError) -> Range<Int64>? {
    try records.find(key, in: project, now: now) { $0.integer(1)..<$0.integer(2) + 1 }
  }

  /// Remembers what was added, instead of what is too old.
  ///
  /// - Parameter numbers: Of the items; nil when none was added.
  func remember(
    _ numbers: ClosedRange<Int64>?, of key: IdempotencyKey, in project: ProjectID,
    conversation: Int64, now: Int64
  ) throws(SQLiteError) {
    try records.remember(key, in: project, conversation: conversation, now: now) {
      $0.bind(":first_item", numbers?.lowerBound ?? 0)
      $0.bind(":last_item", numbers?.upperBound ?? -1)
    }
  }

  /// Forgets some of the keys of that time or before.
  func forget(through oldest: Int64) throws(SQLiteError) {
    try records.forget(through: oldest)
  }
}
