internal import Conversations
internal import Repository
internal import SQLite

/// One kind of record of idempotency keys, inside the writer's transactions: which request came under
/// a key, and what it did. A table has the columns `project`, `key`, `request_hash`, `conversation` and
/// `created_at`, an index by age, and columns of its own.
final class IdempotencyRecords {
  /// How many keys are forgotten at a time: about a millisecond's work.
  private static let forgottenMax = 100

  private let retentionSeconds: Int64
  private let select: Statement
  private let insert: Statement
  private let delete: Statement
  private let deleteOldest: Statement

  /// - Parameters:
  ///   - table: The name of the table.
  ///   - columns: The names of its own columns.
  ///   - retentionSeconds: How long a key is remembered.
  init(
    _ connection: borrowing Connection, table: String, columns: [String], retentionSeconds: Int
  ) throws(SQLiteError) {
    self.retentionSeconds = Int64(retentionSeconds)
    let names = columns.joined(separator: ", ")
    let parameters = columns.map { ":" + $0 }.joined(separator: ", ")
    select = try connection.prepare(
      """
      SELECT request_hash, \(names) FROM \(table)
      WHERE project = :project AND key = :key AND created_at > :oldest
      """)
    insert = try connection.prepare(
      """
      INSERT INTO \(table) (project, key, request_hash, conversation, \(names), created_at)
      VALUES (:project, :key, :request_hash, :conversation, \(parameters), :created_at)
      """)
    delete = try connection.prepare(
      "DELETE FROM \(table) WHERE project = :project AND key = :key")
    deleteOldest = try connection.prepare(
      """
      DELETE FROM \(table) WHERE rowid IN (
        SELECT rowid FROM \(table) INDEXED BY \(table)_by_age
        WHERE created_at <= :oldest ORDER BY created_at LIMIT \(Self.forgottenMax))
      """)
  }

  /// Finds the record of a key.
  ///
  /// - Parameter read: Reads the table's own columns, which begin at 1.
  /// - Returns: nil when the key is new, or so old that it counts as new, or `read` finds nothing.
  /// - Throws: `.idempotencyKeyReused` when it was used for another request.
  func find<Found>(
    _ key: IdempotencyKey, in project: ProjectID, now: Int64,
    _ read: (borrowing Statement) -> Found?
  ) throws(RepositoryError) -> Found? {
    defer { select.reset() }
    let isKnown = try rethrowing { () throws(SQLiteError) in
      select.bind(":project", project.number)
      try select.bind(":key", key.text)
      select.bind(":oldest", now - retentionSeconds)
      return try select.step()
    }
    guard isKnown else { return nil }
    guard select.text(0) == key.requestHash else { throw .idempotencyKeyReused }
    return read(select)
  }

  /// Remembers a request, instead of one that is too old.
  ///
  /// - Parameter bind: Binds the table's own columns.
  func remember(
    _ key: IdempotencyKey, in project: ProjectID, conversation number: Int64, now: Int64,
    _ bind: (borrowing Statement) throws(SQLiteError) -> Void
  ) throws(SQLiteError) {
    delete.bind(":project", project.number)
    try delete.bind(":key", key.text)
    try delete.run()
    insert.bind(":project", project.number)
    try insert.bind(":key", key.text)
    try insert.bind(":request_hash", key.requestHash)
    insert.bind(":conversation", number)
    insert.bind(":created_at", now)
    try bind(insert)
    try insert.run()
  }

  /// Forgets some of the keys of that time or before.
  func forget(through oldest: Int64) throws(SQLiteError) {
    deleteOldest.bind(":oldest", oldest)
    try deleteOldest.run()
  }
}
