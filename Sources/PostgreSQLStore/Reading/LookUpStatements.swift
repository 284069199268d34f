internal import PostgreSQL

/// The statements of look-ups, one for a whole group: each row of the arrays is a request, with the hash
/// of the key that it shows, and the conversation, and the item, that it is about.
///
/// A statement sees the database as of one moment, so a key that was revoked before a request came lets
/// it read nothing, on whichever front end.
enum LookUpStatements {
  static let all = [conversations, items]

  /// - Parameter now: The parameter that has the Unix seconds, or NULL for the database's clock.
  private static func access(now: String) -> String {
    """
    LEFT JOIN LATERAL (
      SELECT number, project, name, is_read_only, is_admin, created_at, expires_at, last_used_at,
        first_characters, requests_per_minute
      FROM api_keys WHERE hash = w.hash AND revoked_at IS NULL AND (
        expires_at IS NULL
        OR expires_at > coalesce(\(now)::bigint, floor(extract(epoch FROM clock_timestamp()))::bigint))
      LIMIT 1
    ) AS api_keys ON true
    LEFT JOIN projects ON projects.number = api_keys.project
    CROSS JOIN (SELECT EXISTS (SELECT 1 FROM api_keys) AS has_keys) AS any_key
    LEFT JOIN conversations ON conversations.id = w.conversation
      AND conversations.project
        = coalesce(api_keys.project, CASE WHEN NOT any_key.has_keys THEN 1 END)
    """
  }

  private static let accessColumns = """
    w.n, any_key.has_keys, api_keys.number, api_keys.project, projects.name, api_keys.name,
    api_keys.is_read_only, api_keys.is_admin, api_keys.created_at, api_keys.expires_at,
    api_keys.last_used_at, api_keys.first_characters, api_keys.requests_per_minute,
    conversations.id IS NOT NULL
    """

  static let conversations = Statement(
    "look_up_conversations",
    """
    SELECT \(accessColumns), conversations.metadata::text
    FROM unnest($1::bytea[], $2::bytea[]) WITH ORDINALITY AS w (hash, conversation, n)
    \(access(now: "$3"))
    """)

  static let items = Statement(
    "look_up_items",
    """
    SELECT \(accessColumns), items.id, items.type, items.fields
    FROM unnest($1::bytea[], $2::bytea[], $3::text[])
      WITH ORDINALITY AS w (hash, conversation, item, n)
    \(access(now: "$4"))
    LEFT JOIN items ON items.project = conversations.project AND items.id = w.item
      AND items.conversation = conversations.id
    """)
}
