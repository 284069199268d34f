internal import Conversations
internal import Repository
internal import SQLite

/// The creations that carried an idempotency key, inside the writer's transactions.
final class IdempotencyTable {
  private let records: IdempotencyRecords

  /// - Parameter retentionSeconds: How long a key is remembered.
  init(_ connection: borrowing Connection, retentionSeconds: Int) throws(SQLiteError) {
    records = try IdempotencyRecords(
      connection, table: "idempotency_keys", columns: ["answer", "content_hash"],
      retentionSeconds: retentionSeconds)
  }

  /// Finds what was answered under a key.
  ///
  /// - Returns: nil when the key is new, or so old that it counts as new.
  /// - Throws: `.idempotencyKeyReused` when it was used for another request.
  func answer(
    to key: IdempotencyKey, in project: ProjectID, now: Int64
  ) throws(RepositoryError) -> StoredResponse? {
    try records.find(key, in: project, now: now) { row in
      guard let text = row.text(1), let hash = row.text(2).flatMap({ ContentHash($0) }) else {
        return nil
      }
      return StoredResponse(text: text, contentHash: hash, isReplay: true)
    }
  }

  /// Remembers an answer, instead of one that is too old.
  func remember(
    _ answer: StoredResponse, to key: IdempotencyKey, in project: ProjectID,
    conversation number: Int64, now: Int64
  ) throws(SQLiteError) {
    try records.remember(key, in: project, conversation: number, now: now) {
      row throws(SQLiteError) in
      try row.bind(":answer", answer.text)
      try row.bind(":content_hash", answer.contentHash.description)
    }
  }

  /// Forgets some of the keys of that time or before.
  func forget(through oldest: Int64) throws(SQLiteError) {
    try records.forget(through: oldest)
  }
}
