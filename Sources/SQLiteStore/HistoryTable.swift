internal import Conversations
internal import Repository
internal import SQLite

/// The sets that conversations had before, inside the writer's transactions. The schema deletes them with
/// their conversation.
final class HistoryTable {
  /// How many versions are forgotten at a time.
  private static let forgottenMax = 100

  private let sets: FormerSets
  private let insert: Statement
  private let deleteOldest: Statement

  init(_ connection: borrowing Connection) throws(SQLiteError) {
    sets = try FormerSets(connection)
    insert = try connection.prepare(
      """
      INSERT INTO metadata_history (conversation, version, metadata, replaced_by, request_id)
      VALUES (
        :conversation,
        max(:now, coalesce(
          (SELECT max(version) + 1 FROM metadata_history WHERE conversation = :conversation), 0)),
        (
          SELECT json_group_object(key, value) FROM (
            SELECT key, value FROM metadata WHERE conversation = :conversation ORDER BY key)
        ),
        :replaced_by, :request_id)
      """)
    deleteOldest = try connection.prepare(
      """
      DELETE FROM metadata_history WHERE (conversation, version) IN (
        SELECT conversation, version FROM metadata_history INDEXED BY metadata_history_by_age
        WHERE version < :oldest ORDER BY version LIMIT \(Self.forgottenMax))
      """)
  }

  /// Keeps the set that a conversation has, before another one takes its place.
  ///
  /// - Parameter now: Unix microseconds.
  func keepSet(
    of conversation: Int64, replacedBy author: ChangeAuthor, now: Int64
  ) throws(RepositoryError) {
    do {
      insert.bind(":conversation", conversation)
      insert.bind(":now", now)
      if let keyName = author.keyName {
        try insert.bind(":replaced_by", keyName)
      } else {
        insert.bind(":replaced_by", nil)
      }
      try insert.bind(":request_id", author.requestID)
      try insert.run()
    } catch {
      // json_valid of SQLite 3.40 says no when it has no memory to parse, and the set is valid.
      throw error.isCheck ? .unavailable(.noMemory) : RepositoryError(EngineError(error))
    }
  }

  /// Reads a set that a conversation had before.
  ///
  /// - Throws: `.metadataVersion`.
  func set(_ version: Int64, of conversation: Int64) throws(RepositoryError) -> Metadata {
    let set = try rethrowing { () throws(SQLiteError) in
      try sets.set(version, of: conversation)
    }
    switch set {
    case nil: throw .metadataVersion(.notFound(id: "\(version)"))
    case .unreadable: throw .metadataVersion(.unreadable)
    case .readable(let metadata): return metadata
    }
  }

  /// Forgets some of the versions before that number.
  func forget(before oldest: Int64) throws(SQLiteError) {
    deleteOldest.bind(":oldest", oldest)
    try deleteOldest.run()
  }
}

/// Reads the sets that conversations had before, on one connection.
final class FormerSets {
  private let select: Statement

  init(_ connection: borrowing Connection) throws(SQLiteError) {
    // What is no text becomes a byte that no value has, and what is no JSON such a value.
    select = try connection.prepare(
      """
      SELECT pair.key, CASE pair.type WHEN 'text' THEN pair.value ELSE x'ff' END
      FROM metadata_history AS former
      LEFT JOIN json_each(
        CASE WHEN json_valid(former.metadata) THEN former.metadata ELSE '[0]' END) AS pair
      WHERE former.conversation = :conversation AND former.version = :version
      ORDER BY pair.key
      """)
  }

  /// A set as its row is.
  enum FormerSet {
    case readable(Metadata)
    /// It cannot be shown.
    case unreadable
  }

  /// - Returns: nil when there is no such version.
  func set(_ version: Int64, of conversation: Int64) throws(SQLiteError) -> FormerSet? {
    defer { select.reset() }
    select.bind(":conversation", conversation)
    select.bind(":version", version)
    guard try select.step() else { return nil }
    // A set without pairs has a row without a key.
    if select.isNull(0) { return .readable(.empty) }
    guard let metadata = try Metadata(rows: select, isAtRow: true) else { return .unreadable }
    return .readable(metadata)
  }

  /// What the statement has done since it was compiled.
  var work: StatementWork { select.work }
}
