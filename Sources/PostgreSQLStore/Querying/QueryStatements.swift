internal import Conversations
internal import PostgreSQL

/// The statements of queries. None of them scans a table or sorts more than a page: each enters an
/// index and takes rows from it in order.
enum QueryStatements {
  static let all =
    [
      begin, rollback, findActivity, findKey, findValue, findKeys, findItemPlaces,
      hasKeys, countPair, countAll, findRest, exportItems,
    ]
    + WalkDirection.allCases.flatMap { direction in
      [
        listAll(direction), listPair(direction), listByActivity(direction),
        gatherByActivity(direction), walk(direction), walkCounting(direction), listItems(direction),
      ]
    } + HistoryStatements.queried

  static let begin = Statement("begin", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
  static let rollback = Statement("rollback", "ROLLBACK")

  /// What a page shows of a conversation.
  private static let columns = "c.id, c.metadata::text, c.last_activity, c.item_count"

  // MARK: Lists in the order of creation

  /// The project, the place after which and the place before which, how many.
  static func listAll(_ direction: WalkDirection) -> Statement {
    Statement(
      "list_all_\(direction)",
      """
      SELECT \(columns) FROM conversations AS c
      WHERE c.project = $1::bigint AND c.id > $2::bytea AND c.id < $3::bytea
      ORDER BY c.id \(direction.sql) LIMIT $4::bigint
      """)
  }

  /// The same, and the key and the value of a pair.
  static func listPair(_ direction: WalkDirection) -> Statement {
    Statement(
      "list_pair_\(direction)",
      """
      SELECT \(columns) FROM (
        SELECT conversation FROM pairs
        WHERE project = $1::bigint AND key = $5::text AND value = $6::text
          AND conversation > $2::bytea AND conversation < $3::bytea
        ORDER BY conversation \(direction.sql) LIMIT $4::bigint
      ) AS p
      JOIN conversations AS c ON c.project = $1::bigint AND c.id = p.conversation
      ORDER BY p.conversation \(direction.sql)
      """)
  }

  /// The conversations that fulfil several conditions, in the order of creation: a leapfrog over the
  /// indices (Veldhuizen, "Leapfrog Triejoin", section 3.1). Where one condition's index stands, the
  /// next one's is entered, until all agree. So the rarest condition sets the pace, and no statistics
  /// decide how long a query takes.
  ///
  /// A step is one entry into the index of each alternative of one condition. `beyond` tells whether
  /// the id of a step has been passed already, `turn` which condition is asked next, `agreed` how many
  /// agree on the id. The parameters:
  ///
  /// $1 the project; $2, $3, $4 of each alternative the number of its condition, the key, and the value,
  /// without which the key's presence is asked for, and without either all conversations; $5 how many
  /// conditions there are; $6 keys that must be absent; $7 the place where the walk ends; $8 to $11 the
  /// step to go on from; $12 how many conversations to find; $13 how many steps to make.
  private static func steps(_ direction: WalkDirection) -> String {
    let before = direction == .up ? "<" : ">"
    // The place to enter an index: behind the id, or at it.
    let entry =
      direction == .up
      ? "CASE WHEN s.beyond THEN s.id || '\\x00'::bytea ELSE s.id END"
      : "CASE WHEN s.beyond THEN s.id ELSE s.id || '\\x00'::bytea END"
    let from = direction == .up ? ">=" : "<"
    func first(_ condition: String, _ id: String, _ rows: String) -> String {
      """
      (SELECT \(id) AS id FROM \(rows)
        AND \(id) \(from) \(entry) AND \(id) \(before) $7::bytea AND \(condition)
        ORDER BY \(id) \(direction.sql) LIMIT 1)
      """
    }
    let pairs = first(
      "w.value IS NOT NULL", "m.conversation",
      "pairs AS m WHERE m.project = $1::bigint AND m.key = w.key AND m.value = w.value")
    let keys = first(
      "w.value IS NULL AND w.key IS NOT NULL", "m.conversation",
      "keys AS m WHERE m.project = $1::bigint AND m.key = w.key")
    let all = first("w.key IS NULL", "m.id", "conversations AS m WHERE m.project = $1::bigint")
    return """
      WITH RECURSIVE step (n, id, beyond, turn, agreed, hit, hits) AS (
        SELECT 0, $8::bytea, $9::boolean, $10::integer, $11::integer, false, 0::bigint
        UNION ALL
        SELECT s.n + 1, f.id, f.agreed = $5::integer, s.turn % $5::integer + 1,
          CASE WHEN f.agreed = $5::integer THEN 0 ELSE f.agreed END, f.hit, s.hits + f.hit::integer
        FROM step AS s CROSS JOIN LATERAL (
          SELECT g.id, g.agreed, g.agreed = $5::integer AND NOT EXISTS (
            SELECT 1 FROM keys AS k
            WHERE k.project = $1::bigint AND k.key = ANY ($6::text[]) AND k.conversation = g.id
          ) AS hit
          FROM (
            SELECT a.id, CASE WHEN a.id = s.id AND NOT s.beyond THEN s.agreed + 1 ELSE 1 END
              AS agreed
            FROM unnest($2::integer[], $3::text[], $4::text[]) AS w (condition, key, value)
            CROSS JOIN LATERAL (
              \(pairs)
              UNION ALL
              \(keys)
              UNION ALL
              \(all)
            ) AS a
            WHERE w.condition = s.turn ORDER BY a.id \(direction.sql) LIMIT 1
          ) AS g
        ) AS f
        WHERE s.hits < $12::bigint AND s.n < $13::integer
      )
      """
  }

  /// The hits of a walk with what a page shows of them, and its last step.
  static func walk(_ direction: WalkDirection) -> Statement {
    Statement(
      "walk_\(direction)",
      """
      \(steps(direction))
      SELECT \(columns), s.hit, s.id, s.beyond, s.turn, s.agreed, s.n
      FROM step AS s LEFT JOIN conversations AS c
        ON s.hit AND c.project = $1::bigint AND c.id = s.id
      WHERE s.hit OR s.n = $13::integer ORDER BY s.n
      """)
  }

  /// How many hits a walk has, and its last step.
  static func walkCounting(_ direction: WalkDirection) -> Statement {
    Statement(
      "walk_counting_\(direction)",
      """
      \(steps(direction))
      SELECT s.hits, s.id, s.beyond, s.turn, s.agreed, s.n
      FROM step AS s ORDER BY s.n DESC LIMIT 1
      """)
  }

  // MARK: Counts

  static let countPair = Statement(
    "count_pair",
    """
    SELECT count(*) FROM (
      SELECT 1 FROM pairs
      WHERE project = $1::bigint AND key = $5::text AND value = $6::text
        AND conversation > $2::bytea AND conversation < $3::bytea LIMIT $4::bigint
    ) AS p
    """)
  static let countAll = Statement(
    "count_all",
    """
    SELECT count(*) FROM (
      SELECT 1 FROM conversations AS c
      WHERE c.project = $1::bigint AND c.id > $2::bytea AND c.id < $3::bytea LIMIT $4::bigint
    ) AS p
    """)

  // MARK: Lists in the order of last activity

  static let findActivity = Statement(
    "find_activity",
    "SELECT last_activity FROM conversations WHERE project = $1::bigint AND id = $2::bytea")

  /// Along the order: the project, the places (a moment and an id each) after and before which, how
  /// many to look at, the range of ids, the conditions as in `steps`; tells of each whether it fulfils
  /// them.
  static func listByActivity(_ direction: WalkDirection) -> Statement {
    Statement(
      "list_by_activity_\(direction)",
      """
      SELECT \(columns), c.id > $7::bytea AND c.id < $8::bytea
        AND NOT EXISTS (SELECT 1 FROM unnest($12::text[]) AS w (key) WHERE c.metadata ? w.key)
        AND coalesce((
          SELECT bool_and(fulfilled) FROM (
            SELECT bool_or(
              CASE WHEN w.value IS NULL THEN c.metadata ? w.key
                ELSE coalesce(c.metadata ->> w.key = w.value, false) END) AS fulfilled
            FROM unnest($9::integer[], $10::text[], $11::text[]) AS w (condition, key, value)
            WHERE w.key IS NOT NULL
            GROUP BY w.condition
          ) AS each
        ), true)
      FROM (
        SELECT id, metadata, last_activity, item_count FROM conversations
        WHERE project = $1::bigint AND (last_activity, id) > ($2::bigint, $3::bytea)
          AND (last_activity, id) < ($4::bigint, $5::bytea)
        ORDER BY last_activity \(direction.sql), id \(direction.sql) LIMIT $6::bigint
      ) AS c
      ORDER BY c.last_activity \(direction.sql), c.id \(direction.sql)
      """)
  }

  /// The conversations with these ids whose places lie between two, in the order of last activity.
  static func gatherByActivity(_ direction: WalkDirection) -> Statement {
    Statement(
      "gather_by_activity_\(direction)",
      """
      SELECT \(columns)
      FROM unnest($6::bytea[]) AS w (id)
      JOIN conversations AS c ON c.project = $1::bigint AND c.id = w.id
      WHERE (c.last_activity, c.id) > ($2::bigint, $3::bytea)
        AND (c.last_activity, c.id) < ($4::bigint, $5::bytea)
      ORDER BY c.last_activity \(direction.sql), c.id \(direction.sql) LIMIT $7::bigint
      """)
  }

  // MARK: Items

  /// Whether the conversation is there, and the positions of two items of it.
  static let findItemPlaces = Statement(
    "find_item_places",
    """
    SELECT
      (SELECT i.position FROM items AS i
        WHERE i.project = c.project AND i.id = $3::text AND i.conversation = c.id),
      (SELECT i.position FROM items AS i
        WHERE i.project = c.project AND i.id = $4::text AND i.conversation = c.id)
    FROM conversations AS c WHERE c.project = $1::bigint AND c.id = $2::bytea
    """)

  /// Items between two positions, one more than a page has. Those that the page has no room for come
  /// without their content, so that no answer holds a hundred large ones.
  static func listItems(_ direction: WalkDirection) -> Statement {
    Statement(
      "list_items_\(direction)",
      """
      SELECT id, type, CASE WHEN n = 1 OR (n < $5::bigint AND bytes <= $6::bigint) THEN fields END
      FROM (
        SELECT id, type, fields, row_number() OVER walk AS n,
          sum(byte_count + octet_length(id) + octet_length(type) + $7::bigint) OVER walk AS bytes
        FROM (
          SELECT position, id, type, byte_count, fields FROM items
          WHERE project = $1::bigint AND conversation = $2::bytea
            AND position > $3::bigint AND position < $4::bigint
          ORDER BY position \(direction.sql) LIMIT $5::bigint
        ) AS i
        WINDOW walk AS (ORDER BY position \(direction.sql))
      ) AS page
      ORDER BY n
      """)
  }

  // MARK: Exports

  /// A conversation of which an earlier page has some items.
  static let findRest = Statement(
    "find_rest",
    """
    SELECT \(columns) FROM conversations AS c
    WHERE c.project = $1::bigint AND c.id = $2::bytea
    """)

  /// The items of conversations, each after a position and at most $4 of them. Those without room in
  /// $5 bytes come without their content.
  static let exportItems = Statement(
    "export_items",
    """
    SELECT conversation, id, type, CASE WHEN n = 1 OR bytes <= $5::bigint THEN fields END,
      created_at, position
    FROM (
      SELECT conversation, id, type, fields, created_at, position, row_number() OVER walk AS n,
        sum(byte_count + octet_length(id) + octet_length(type) + $6::bigint) OVER walk AS bytes
      FROM (
        SELECT w.n AS conversation, i.*
        FROM unnest($2::bytea[], $3::bigint[]) WITH ORDINALITY AS w (id, after, n)
        CROSS JOIN LATERAL (
          SELECT position, id, type, byte_count, created_at, fields FROM items
          WHERE project = $1::bigint AND conversation = w.id AND position > w.after
          ORDER BY position LIMIT $4::bigint
        ) AS i
      ) AS found
      WINDOW walk AS (ORDER BY conversation, position)
    ) AS page
    ORDER BY conversation, position
    """)

  // MARK: Facets

  /// The keys of a project, from a text on: one entry into the index for each, just after all rows of
  /// the one before.
  static let findKey = Statement("find_keys", facets(column: "key", rows: "keys", condition: ""))

  /// The values of a key, in the same way.
  static let findValue = Statement(
    "find_values", facets(column: "value", rows: "pairs", condition: "AND m.key = $5::text"))

  /// $1 the project, $2 a text, $3 whether it counts itself, $4 how many.
  private static func facets(column: String, rows: String, condition: String) -> String {
    """
    WITH RECURSIVE facet (text, n) AS (
      (SELECT m.\(column), 1::bigint FROM \(rows) AS m
        WHERE $3::boolean AND m.project = $1::bigint \(condition) AND m.\(column) >= $2::text
        ORDER BY m.\(column) LIMIT 1)
      UNION ALL
      (SELECT m.\(column), 1::bigint FROM \(rows) AS m
        WHERE NOT $3::boolean AND m.project = $1::bigint \(condition) AND m.\(column) > $2::text
        ORDER BY m.\(column) LIMIT 1)
      UNION ALL
      SELECT next.text, facet.n + 1
      FROM facet CROSS JOIN LATERAL (
        SELECT m.\(column) AS text FROM \(rows) AS m
        WHERE m.project = $1::bigint \(condition) AND m.\(column) > facet.text
        ORDER BY m.\(column) LIMIT 1
      ) AS next
      WHERE facet.n < $4::bigint
    )
    SELECT text FROM facet ORDER BY n
    """
  }

  // MARK: API keys and idempotency keys

  static let findKeys = Statement(
    "find_api_keys",
    """
    \(KeyStatements.selection)
    WHERE a.project = $1::bigint AND a.revoked_at IS NULL ORDER BY a.name
    """)

  static let hasKeys = Statement("has_api_keys", "SELECT EXISTS (SELECT 1 FROM api_keys)")
}

/// The direction in which an index is walked through.
enum WalkDirection: CaseIterable {
  case up
  case down

  /// As SQL says it.
  var sql: String { self == .up ? "ASC" : "DESC" }
}
