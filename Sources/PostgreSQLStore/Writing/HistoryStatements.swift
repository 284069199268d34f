internal import PostgreSQL

/// The statements of the sets that conversations had before.
enum HistoryStatements {
  /// What the lanes of writes prepare.
  static let written = [insert, find]

  /// What the lanes of queries prepare.
  static let queried =
    [findConversation] + WalkDirection.allCases.map { list($0) }

  /// Keeps the sets that conversations have, before others take their places.
  static let insert = Statement(
    "insert_metadata_history",
    """
    INSERT INTO metadata_history
      (project, conversation, version, metadata, replaced_by, request_id)
    SELECT c.project, c.id,
      greatest($3::bigint, 1 + (
        SELECT h.version FROM metadata_history AS h
        WHERE h.project = c.project AND h.conversation = c.id
        ORDER BY h.version DESC LIMIT 1)),
      c.metadata, w.replaced_by, w.request_id
    FROM unnest($1::bigint[], $2::bytea[], $4::text[], $5::text[])
      AS w (project, conversation, replaced_by, request_id)
    JOIN conversations AS c ON c.project = w.project AND c.id = w.conversation
    """)

  /// A former set, for a request that restores it.
  static let find = Statement(
    "find_metadata_version",
    """
    SELECT metadata::text FROM metadata_history
    WHERE project = $1::bigint AND conversation = $2::bytea AND version = $3::bigint
    """)

  static let findConversation = Statement(
    "find_conversation",
    """
    SELECT EXISTS (
      SELECT 1 FROM conversations WHERE project = $1::bigint AND id = $2::bytea)
    """)

  /// The conversation, the first number, the last, and how many.
  static func list(_ direction: WalkDirection) -> Statement {
    Statement(
      "list_metadata_history_\(direction)",
      """
      SELECT version, metadata::text, replaced_by, request_id FROM metadata_history
      WHERE project = $1::bigint AND conversation = $2::bytea
        AND version BETWEEN $3::bigint AND $4::bigint
      ORDER BY version \(direction.sql) LIMIT $5::bigint
      """)
  }
}
