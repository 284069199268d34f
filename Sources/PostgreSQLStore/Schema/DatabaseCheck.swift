internal import Conversations
public import PostgreSQL
internal import Repository

/// Something that is wrong in a database: what only somebody's hand, with the triggers off, or a fault
/// can bring about.
public enum PostgreSQLFinding: Equatable, Sendable, CustomStringConvertible {
  /// A conversation whose metadata breaks a rule.
  case unreadableConversation(String)
  /// A conversation with a former set that breaks a rule.
  case unreadableVersion(conversation: String)
  /// A conversation whose rows in `pairs` or `keys` are not those of its metadata.
  case wrongIndex(conversation: String)
  /// A conversation whose items are counted wrongly, or whose activity is before its creation.
  case wrongActivity(conversation: String)
  /// Rows of a table whose conversation is not there.
  case orphans(table: String, rows: Int)
  /// Conversations of a project that is not there.
  case withoutProject(rows: Int)

  /// One line, without values.
  public var description: String {
    switch self {
    case .unreadableConversation(let id): "the metadata of \(id) is not valid"
    case .unreadableVersion(let id): "a former set of \(id) is not valid"
    case .wrongIndex(let id): "the rows of pairs and keys are not those of the metadata of \(id)"
    case .wrongActivity(let id): "the activity of \(id) is not that of its items"
    case .orphans(let table, let rows): "\(rows) rows of \(table) belong to no conversation"
    case .withoutProject(let rows): "\(rows) conversations belong to no project"
    }
  }
}

/// What a check of a whole database found.
public struct PostgreSQLReport: Sendable {
  /// How many conversations there are.
  public internal(set) var conversationCount = 0
  /// How many pairs they have.
  public internal(set) var pairCount = 0
  /// How many items they have.
  public internal(set) var itemCount = 0
  /// What is wrong, of each kind the first hundred; empty when all is well.
  public internal(set) var findings: [PostgreSQLFinding] = []
}

extension PostgreSQLStore {
  /// Checks a whole database as of one moment, also beside running servers: metadata against its
  /// indices and the rules, counts against items, and what belongs to conversations that are not there.
  /// PostgreSQL's own files are looked at by `pg_amcheck`.
  ///
  /// - Parameter progress: Called with the part that is done.
  /// - Throws: Why the database cannot be read; `.notMigrated`.
  public static func check(
    url: DatabaseURL, progress: (Double) -> Void = { _ in }
  ) throws(PostgreSQLStoreError) -> PostgreSQLReport {
    var connection = try Session.open(url)
    guard let state = try SchemaState.read(connection: &connection),
      state.version >= Migrator.newestVersion
    else { throw .notMigrated(newestKnown: Migrator.newestVersion) }
    try state.require()
    var report = PostgreSQLReport()
    do {
      _ = try connection.run(
        [.once("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")], within: Patience.answering)
      for (index, step) in CheckStep.all.enumerated() {
        progress(Double(index) / Double(CheckStep.all.count))
        // Whole tables are read; how long that takes is up to their size.
        let rows = try connection.run([.once(step.sql)], within: .seconds(86_400))[0]
        step.read(rows, &report)
      }
      _ = try connection.run([.once("COMMIT")], within: Patience.answering)
    } catch {
      throw PostgreSQLStoreError(error)
    }
    progress(1)
    return report
  }
}

/// One statement of a check.
private struct CheckStep: Sendable {
  let sql: String
  let read: @Sendable (Rows, inout PostgreSQLReport) -> Void

  /// How many findings of a kind are told.
  private static let findingsMax = 100

  static let all: [CheckStep] =
    [counts, invalidMetadata, invalidVersions, activity, missingIndexRows("pairs")]
    + [missingIndexRows("keys"), strayPairs, strayKeys, projects]
    + [
      "items", "idempotency_keys", "append_idempotency_keys", "pairs", "keys", "metadata_history",
    ].map(orphans)

  private static let counts = CheckStep(
    sql: """
      SELECT (SELECT count(*) FROM conversations), (SELECT count(*) FROM pairs),
        (SELECT count(*) FROM items)
      """
  ) { rows, report in
    report.conversationCount = Int(rows.int64(0, 0))
    report.pairCount = Int(rows.int64(0, 1))
    report.itemCount = Int(rows.int64(0, 2))
  }

  private static let invalidMetadata = of(
    "SELECT c.id FROM conversations AS c WHERE \(isInvalid)"
  ) { .unreadableConversation($0) }

  private static let invalidVersions = of(
    "SELECT DISTINCT c.conversation FROM metadata_history AS c WHERE \(isInvalid)"
  ) { .unreadableVersion(conversation: $0) }

  /// Whether a row's metadata breaks a rule.
  private static let isInvalid = """
    (jsonb_typeof(c.metadata) <> 'object'
      OR (SELECT count(*) FROM jsonb_each(c.metadata)) > 16
      OR EXISTS (
        SELECT 1 FROM jsonb_each(c.metadata) AS pair (key, value)
        WHERE jsonb_typeof(value) <> 'string' OR char_length(key) > 64
          OR char_length(value #>> '{}') > 512))
    """

  private static let activity = of(
    """
    SELECT c.id FROM conversations AS c LEFT JOIN (
      SELECT project, conversation, count(*) AS count, max(position) AS last
      FROM items GROUP BY project, conversation
    ) AS i ON i.project = c.project AND i.conversation = c.id
    WHERE c.item_count <> coalesce(i.count, 0) OR c.last_position < coalesce(i.last, 0)
      OR c.last_activity < created_microseconds(c.id)
    """
  ) { .wrongActivity(conversation: $0) }

  private static func missingIndexRows(_ table: String) -> CheckStep {
    of(
      """
      SELECT DISTINCT c.id FROM conversations AS c
      CROSS JOIN LATERAL jsonb_each_text(
        CASE jsonb_typeof(c.metadata) WHEN 'object' THEN c.metadata ELSE '{}' END) AS pair
      LEFT JOIN \(table) AS r ON r.project = c.project AND r.key = pair.key COLLATE "C"
        AND r.conversation = c.id
        \(table == "pairs" ? "AND r.value = pair.value COLLATE \"C\"" : "")
      WHERE r.project IS NULL
      """
    ) { .wrongIndex(conversation: $0) }
  }

  private static let strayPairs = of(
    """
    SELECT DISTINCT c.id FROM pairs AS r
    JOIN conversations AS c ON c.project = r.project AND c.id = r.conversation
    WHERE c.metadata ->> r.key IS DISTINCT FROM r.value
    """
  ) { .wrongIndex(conversation: $0) }

  private static let strayKeys = of(
    """
    SELECT DISTINCT c.id FROM keys AS r
    JOIN conversations AS c ON c.project = r.project AND c.id = r.conversation
    WHERE NOT c.metadata ? r.key
    """
  ) { .wrongIndex(conversation: $0) }

  private static let projects = CheckStep(
    sql: """
      SELECT count(*) FROM conversations AS c
      WHERE NOT EXISTS (SELECT 1 FROM projects AS p WHERE p.number = c.project)
      """
  ) { rows, report in
    if rows.int64(0, 0) > 0 {
      report.findings.append(.withoutProject(rows: Int(rows.int64(0, 0))))
    }
  }

  private static func orphans(_ table: String) -> CheckStep {
    CheckStep(
      sql: """
        SELECT count(*) FROM \(table) AS r WHERE NOT EXISTS (
          SELECT 1 FROM conversations AS c WHERE c.project = r.project AND c.id = r.conversation)
        """
    ) { rows, report in
      if rows.int64(0, 0) > 0 {
        report.findings.append(.orphans(table: table, rows: Int(rows.int64(0, 0))))
      }
    }
  }

  /// A statement that answers the ids of conversations that something is wrong with.
  private static func of(
    _ sql: String, _ finding: @escaping @Sendable (String) -> PostgreSQLFinding
  ) -> CheckStep {
    CheckStep(sql: "\(sql) ORDER BY 1 LIMIT \(findingsMax)") { rows, report in
      for row in 0..<rows.count {
        let id = ConversationID(bytes: rows.bytes(row, 0))?.description ?? "a conversation"
        let finding = finding(id)
        if !report.findings.contains(finding) { report.findings.append(finding) }
      }
    }
  }
}
