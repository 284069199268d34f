internal import PostgreSQL

/// The statements of write groups: each does for all requests of a group what one of them needs, so
/// each row of the arrays is a row of a table.
enum WriteStatements {
  static let all =
    [
      begin, commit, rollback, enterLane, makeLane, leaveLane, fence, stopOtherLanes, lock,
      findRecords, findRecordItems, findCreationKeys,
      findAppendKeys, findItems, findNewestItems, readItems, updateMetadata, unindexPairs,
      unindexKeys,
      deletePairs, insertPairs, deleteKeys, insertKeys, insertConversations, insertItems, noteItems,
      deleteItems, deleteItemsOf, deleteCreationKeysOf, deleteAppendKeysOf, deleteConversations,
      deleteCreationKeys, insertCreationKeys, deleteAppendKeys, insertAppendKeys,
    ] + HistoryStatements.written

  // MARK: The transaction

  static let begin = Statement("begin", "BEGIN ISOLATION LEVEL READ COMMITTED")
  static let commit = Statement("commit", "COMMIT")
  static let rollback = Statement("rollback", "ROLLBACK")

  /// Locks the lane's row until the group has ended, whoever waits for its answer: what `fence` on
  /// another connection answers after that is certain. Also reads the clock, and the newest id.
  static let enterLane = Statement(
    "enter_lane",
    """
    SELECT last_group, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
      (SELECT newest FROM lanes ORDER BY newest DESC LIMIT 1)
    FROM lanes WHERE lane = $1::uuid FOR NO KEY UPDATE OF lanes
    """)
  static let makeLane = Statement(
    "make_lane", "INSERT INTO lanes (lane) VALUES ($1::uuid) ON CONFLICT DO NOTHING")
  static let leaveLane = Statement(
    "leave_lane",
    """
    UPDATE lanes SET last_group = $2::bigint, newest = greatest(newest, $3::bytea), used_at = now()
    WHERE lane = $1::uuid
    """)
  static let fence = Statement(
    "fence", "UPDATE lanes SET fence = fence + 1 WHERE lane = $1::uuid RETURNING last_group")

  /// Waits for the groups of all lanes, and lets none begin until this one has ended: what is read
  /// from here on is what is stored when this group is. Also reads the newest id that ever was.
  static let stopOtherLanes = Statement(
    "stop_other_lanes",
    """
    WITH stopped AS MATERIALIZED (
      SELECT newest FROM lanes ORDER BY lane FOR NO KEY UPDATE
    )
    SELECT id FROM (
      SELECT newest AS id FROM stopped
      UNION ALL
      SELECT c.id FROM projects AS p CROSS JOIN LATERAL (
        SELECT id FROM conversations WHERE project = p.number ORDER BY id DESC LIMIT 1
      ) AS c
    ) AS known
    ORDER BY id DESC LIMIT 1
    """)

  // MARK: What is read

  /// What is stored of conversations that are imported, and where an item of each is.
  static let findRecords = Statement(
    "find_records",
    """
    SELECT w.n, c.metadata::text, c.last_activity, c.last_position, (
        SELECT i.position FROM items AS i
        WHERE i.project = c.project AND i.id = w.item AND i.conversation = c.id)
    FROM unnest($2::bytea[], $3::text[]) WITH ORDINALITY AS w (id, item, n)
    JOIN conversations AS c ON c.project = $1::bigint AND c.id = w.id
    ORDER BY w.n
    """)
  /// Their items after that one, as many as are asked for, without their content.
  static let findRecordItems = Statement(
    "find_record_items",
    """
    SELECT w.n, i.id, i.type, i.created_at, i.hash
    FROM unnest($2::bytea[], $3::text[], $4::bigint[]) WITH ORDINALITY AS w (id, item, count, n)
    CROSS JOIN LATERAL (
      SELECT position, id, type, created_at, sha256(convert_to(fields::text, 'UTF8')) AS hash
      FROM items
      WHERE project = $1::bigint AND conversation = w.id AND position > coalesce((
        SELECT i.position FROM items AS i
        WHERE i.project = $1::bigint AND i.id = w.item AND i.conversation = w.id), 0)
      ORDER BY position LIMIT w.count
    ) AS i
    ORDER BY w.n, i.position
    """)
  /// Locks first, in an order that all programs keep: what a statement reads of a row that it had to
  /// wait for is what is stored then.
  static let lock = Statement(
    "lock",
    """
    SELECT w.n, c.metadata::text, c.last_position, c.last_activity, c.item_count
    FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS w (project, id, n)
    JOIN conversations AS c ON c.project = w.project AND c.id = w.id
    ORDER BY c.project, c.id FOR NO KEY UPDATE OF c
    """)
  static let findCreationKeys = Statement(
    "find_creation_keys",
    """
    SELECT w.n, k.request_hash, k.created_at, k.answer, k.content_hash
    FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS w (project, key, n)
    JOIN idempotency_keys AS k ON k.project = w.project AND k.key = w.key
    """)
  static let findAppendKeys = Statement(
    "find_append_keys",
    """
    SELECT w.n, k.request_hash, k.created_at, k.conversation, k.first_position, k.last_position
    FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS w (project, key, n)
    JOIN append_idempotency_keys AS k ON k.project = w.project AND k.key = w.key
    """)
  static let findItems = Statement(
    "find_items",
    """
    SELECT w.n, i.position
    FROM unnest($1::bigint[], $2::bytea[], $3::text[])
      WITH ORDINALITY AS w (project, conversation, id, n)
    JOIN items AS i ON i.project = w.project AND i.id = w.id AND i.conversation = w.conversation
    """)
  static let findNewestItems = Statement(
    "find_newest_items",
    """
    SELECT w.n, i.conversation, i.position, i.type, i.byte_count
    FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS w (project, id, n)
    CROSS JOIN LATERAL (
      SELECT conversation, position, type, byte_count FROM items
      WHERE project = w.project AND id = w.id ORDER BY conversation DESC LIMIT 1
    ) AS i
    """)
  static let readItems = Statement(
    "read_items",
    """
    SELECT w.n, i.id, i.type, i.fields
    FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bigint[])
      WITH ORDINALITY AS w (project, conversation, first, last, n)
    JOIN items AS i ON i.project = w.project AND i.conversation = w.conversation
      AND i.position BETWEEN w.first AND w.last
    ORDER BY w.n, i.position
    """)

  // MARK: Conversations and their indices

  static let updateMetadata = Statement(
    "update_metadata",
    """
    UPDATE conversations AS c SET metadata = w.metadata
    FROM unnest($1::bigint[], $2::bytea[], $3::jsonb[]) AS w (project, id, metadata)
    WHERE c.project = w.project AND c.id = w.id
    """)
  /// Deletes the pairs of whole sets, as they are stored.
  static let unindexPairs = Statement(
    "unindex_pairs",
    """
    DELETE FROM pairs AS p
    USING unnest($1::bigint[], $2::bytea[]) AS w (project, id)
    JOIN conversations AS c ON c.project = w.project AND c.id = w.id
    CROSS JOIN LATERAL jsonb_each_text(c.metadata) AS old
    WHERE p.project = c.project AND p.key = old.key AND p.value = old.value
      AND p.conversation = c.id
    """)
  static let unindexKeys = Statement(
    "unindex_keys",
    """
    DELETE FROM keys AS k
    USING unnest($1::bigint[], $2::bytea[]) AS w (project, id)
    JOIN conversations AS c ON c.project = w.project AND c.id = w.id
    CROSS JOIN LATERAL jsonb_object_keys(c.metadata) AS old (key)
    WHERE k.project = c.project AND k.key = old.key AND k.conversation = c.id
    """)
  static let deletePairs = Statement(
    "delete_pairs",
    """
    DELETE FROM pairs AS p
    USING unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[])
      AS w (project, key, value, conversation)
    WHERE p.project = w.project AND p.key = w.key AND p.value = w.value
      AND p.conversation = w.conversation
    """)
  static let insertPairs = Statement(
    "insert_pairs",
    """
    INSERT INTO pairs (project, key, value, conversation)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[])
    """)
  static let deleteKeys = Statement(
    "delete_keys",
    """
    DELETE FROM keys AS k
    USING unnest($1::bigint[], $2::text[], $3::bytea[]) AS w (project, key, conversation)
    WHERE k.project = w.project AND k.key = w.key AND k.conversation = w.conversation
    """)
  static let insertKeys = Statement(
    "insert_keys",
    """
    INSERT INTO keys (project, key, conversation)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[])
    """)
  static let insertConversations = Statement(
    "insert_conversations",
    """
    INSERT INTO conversations
      (project, id, created_at, metadata, last_activity, item_count, last_position)
    SELECT project, id, created_at, metadata, last_activity, item_count, item_count
    FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::jsonb[], $5::bigint[], $6::bigint[])
      AS w (project, id, created_at, metadata, last_activity, item_count)
    """)
  static let deleteConversations = Statement(
    "delete_conversations",
    """
    DELETE FROM conversations AS c
    USING unnest($1::bigint[], $2::bytea[]) AS w (project, id)
    WHERE c.project = w.project AND c.id = w.id
    """)

  // MARK: Items

  static let insertItems = Statement(
    "insert_items",
    """
    INSERT INTO items
      (project, conversation, position, id, type, created_at, byte_count, fields)
    SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::text[], $5::text[],
      $6::bigint[], $7::integer[], $8::json[])
    """)
  /// A conversation never goes back in the order of activity, so that a walk towards the newest
  /// misses none.
  static let noteItems = Statement(
    "note_items",
    """
    UPDATE conversations AS c
    SET last_activity = greatest(c.last_activity, w.last_activity),
      item_count = c.item_count + w.added, last_position = greatest(c.last_position, w.last_position)
    FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[])
      AS w (project, id, last_activity, added, last_position)
    WHERE c.project = w.project AND c.id = w.id
    """)
  static let deleteItems = Statement(
    "delete_items",
    """
    DELETE FROM items AS i
    USING unnest($1::bigint[], $2::bytea[], $3::bigint[]) AS w (project, conversation, position)
    WHERE i.project = w.project AND i.conversation = w.conversation AND i.position = w.position
    """)
  static let deleteItemsOf = Statement(
    "delete_items_of",
    """
    DELETE FROM items AS i
    USING unnest($1::bigint[], $2::bytea[]) AS w (project, conversation)
    WHERE i.project = w.project AND i.conversation = w.conversation
    """)

  // MARK: Idempotency keys

  static let deleteCreationKeysOf = Statement(
    "delete_creation_keys_of",
    """
    DELETE FROM idempotency_keys AS k
    USING unnest($1::bigint[], $2::bytea[]) AS w (project, conversation)
    WHERE k.project = w.project AND k.conversation = w.conversation
    """)
  static let deleteAppendKeysOf = Statement(
    "delete_append_keys_of",
    """
    DELETE FROM append_idempotency_keys AS k
    USING unnest($1::bigint[], $2::bytea[]) AS w (project, conversation)
    WHERE k.project = w.project AND k.conversation = w.conversation
    """)
  /// Those that are too old and come again; one that another program has renewed stays, and the
  /// insertion behind it fails then.
  static let deleteCreationKeys = Statement(
    "delete_creation_keys",
    """
    DELETE FROM idempotency_keys AS k
    USING unnest($1::bigint[], $2::text[], $3::bigint[]) AS w (project, key, created_at)
    WHERE k.project = w.project AND k.key = w.key AND k.created_at = w.created_at
    """)
  static let insertCreationKeys = Statement(
    "insert_creation_keys",
    """
    INSERT INTO idempotency_keys
      (project, key, request_hash, conversation, answer, content_hash, created_at)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::bytea[], $5::text[],
      $6::bytea[], $7::bigint[])
    """)
  static let deleteAppendKeys = Statement(
    "delete_append_keys",
    """
    DELETE FROM append_idempotency_keys AS k
    USING unnest($1::bigint[], $2::text[], $3::bigint[]) AS w (project, key, created_at)
    WHERE k.project = w.project AND k.key = w.key AND k.created_at = w.created_at
    """)
  static let insertAppendKeys = Statement(
    "insert_append_keys",
    """
    INSERT INTO append_idempotency_keys
      (project, key, request_hash, conversation, first_position, last_position, created_at)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::bytea[], $5::bigint[],
      $6::bigint[], $7::bigint[])
    """)
}
