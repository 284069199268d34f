public import Conversations
internal import SQLite

/// What was answered to a creation with an idempotency key.
public struct StoredResponse: Sendable {
  /// The answer, as it was encoded the first time.
  public let text: String
  /// The hash of the conversation as it was created.
  public let contentHash: ContentHash
  /// Whether it was given before, so that nothing new is stored.
  public let isReplay: Bool
}

/// The creations that carried an idempotency key, inside the writer's transactions.
final class IdempotencyTable {
  /// How many keys are forgotten at a time: about a millisecond's work.
  private static let forgottenMax = 100

  private let retentionSeconds: Int64
  private let select: Statement
  private let insert: Statement
  private let delete: Statement
  private let deleteOldest: Statement

  /// - Parameter retentionSeconds: How long a key is remembered.
  init(
    _ connection: borrowing Connection, retentionSeconds: Int
  ) throws(SQLiteError) {
    self.retentionSeconds = Int64(retentionSeconds)
    select = try connection.prepare(
      """
      SELECT request_hash, answer, content_hash FROM idempotency_keys
      WHERE project = :project AND key = :key AND created_at > :oldest
      """)
    insert = try connection.prepare(
      """
      INSERT INTO idempotency_keys
        (project, key, request_hash, conversation, answer, content_hash, created_at)
      VALUES (:project, :key, :request_hash, :conversation, :answer, :content_hash, :created_at)
      """)
    delete = try connection.prepare(
      "DELETE FROM idempotency_keys WHERE project = :project AND key = :key")
    deleteOldest = try connection.prepare(
      """
      DELETE FROM idempotency_keys WHERE rowid IN (
        SELECT rowid FROM idempotency_keys INDEXED BY idempotency_keys_by_age
        WHERE created_at <= :oldest ORDER BY created_at LIMIT \(Self.forgottenMax))
      """)
  }

  /// Finds what was answered under a key.
  ///
  /// - Returns: nil when the key is new, or so old that it counts as new.
  /// - Throws: `.idempotencyKeyReused` when it was used for another request.
  func answer(
    to key: IdempotencyKey, in project: ProjectID, now: Int64
  ) throws(RepositoryError) -> StoredResponse? {
    defer { select.reset() }
    let isKnown = try rethrowing { () throws(SQLiteError) in
      select.bind(":project", project.number)
      try select.bind(":key", key.text)
      select.bind(":oldest", now - retentionSeconds)
      return try select.step()
    }
    guard isKnown else { return nil }
    guard select.text(0) == key.requestHash else { throw .idempotencyKeyReused }
    guard let text = select.text(1), let hash = select.text(2).flatMap({ ContentHash($0) }) else {
      return nil
    }
    return StoredResponse(text: text, contentHash: hash, isReplay: true)
  }

  /// Remembers an answer, instead of one that is too old.
  func remember(
    _ answer: StoredResponse, to key: IdempotencyKey, in project: ProjectID,
    conversation number: Int64, now: Int64
  ) throws(SQLiteError) {
    delete.bind(":project", project.number)
    try delete.bind(":key", key.text)
    try delete.run()
    insert.bind(":project", project.number)
    try insert.bind(":key", key.text)
    try insert.bind(":request_hash", key.requestHash)
    insert.bind(":conversation", number)
    try insert.bind(":answer", answer.text)
    try insert.bind(":content_hash", answer.contentHash.description)
    insert.bind(":created_at", now)
    try insert.run()
  }

  /// Forgets some of the keys of that time or before.
  func forget(through oldest: Int64) throws(SQLiteError) {
    deleteOldest.bind(":oldest", oldest)
    try deleteOldest.run()
  }
}
