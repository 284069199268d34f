internal import Conversations
internal import SQLite
internal import Synchronization

/// One read-only connection with its statements.
final class Reader {
  /// A statement compiles itself again when somebody changes the schema, also by VACUUM, and that
  /// needs the connection to be open.
  private let connection: Connection
  private let select: Statement
  private let selectOldKey: Statement
  private let selectAccess: Statement
  private let selectAnyAPIKey: Statement

  init(path: String, busyTimeoutMilliseconds: Int) throws(SQLiteError) {
    connection = try Connection(
      path: path, mode: .readOnly, busyTimeoutMilliseconds: busyTimeoutMilliseconds)
    try connection.execute("PRAGMA cache_size = -\(Repository.readerCacheKiB)")
    // One statement is one snapshot: the set is whole, whatever is written meanwhile. Text sorts by
    // its bytes.
    select = try connection.prepare(
      """
      SELECT metadata.key, metadata.value
      FROM conversations
      LEFT JOIN metadata ON metadata.conversation = conversations.number
      WHERE conversations.id = :id AND conversations.project = :project
      ORDER BY metadata.key
      """)
    selectOldKey = try connection.prepare(
      "SELECT EXISTS (SELECT 1 FROM idempotency_keys WHERE created_at <= :oldest)")
    selectAccess = try connection.prepare(
      """
      SELECT api_keys.number, api_keys.project, projects.name, api_keys.is_read_only
      FROM api_keys JOIN projects ON projects.number = api_keys.project
      WHERE api_keys.hash = :hash AND api_keys.revoked_at IS NULL
        AND (api_keys.expires_at IS NULL OR api_keys.expires_at > :now)
      """)
    selectAnyAPIKey = try connection.prepare("SELECT EXISTS (SELECT 1 FROM api_keys)")
  }

  /// - Throws: `.conversationNotFound`, `.unreadableConversation`.
  func conversation(
    _ id: ConversationID, in project: ProjectID
  ) throws(RepositoryError) -> Conversation {
    defer { select.reset() }
    try storing { () throws(SQLiteError) in
      try select.bind(":id", id.description)
      select.bind(":project", project.number)
    }
    guard try storing({ () throws(SQLiteError) in try select.step() }) else {
      throw .conversationNotFound
    }
    if select.isNull(0) { return Conversation(id: id, metadata: .empty) }
    let metadata = try storing { () throws(SQLiteError) in
      try Metadata(rows: select, isAtRow: true)
    }
    guard let metadata else { throw .unreadableConversation(id) }
    return Conversation(id: id, metadata: metadata)
  }

  /// Whether there is an idempotency key of that time or before.
  func hasIdempotencyKey(through oldest: Int64) throws(RepositoryError) -> Bool {
    defer { selectOldKey.reset() }
    selectOldKey.bind(":oldest", oldest)
    return try storing { () throws(SQLiteError) in
      try selectOldKey.step() && selectOldKey.integer(0) == 1
    }
  }

  /// What the bearer of an API key may do; nil when the key does not count, whyever.
  func access(keyHash: String, now: Int64) throws(RepositoryError) -> Access? {
    defer { selectAccess.reset() }
    return try storing { () throws(SQLiteError) in
      try selectAccess.bind(":hash", keyHash)
      selectAccess.bind(":now", now)
      guard try selectAccess.step() else { return nil }
      return Access(
        project: ProjectID(number: selectAccess.integer(1)),
        projectName: selectAccess.repairedText(2), isReadOnly: selectAccess.integer(3) != 0,
        keyNumber: selectAccess.integer(0))
    }
  }

  /// Whether an API key was ever made.
  func hasAPIKey() throws(RepositoryError) -> Bool {
    defer { selectAnyAPIKey.reset() }
    return try storing { () throws(SQLiteError) in
      try selectAnyAPIKey.step() && selectAnyAPIKey.integer(0) == 1
    }
  }

  /// Reads a page that every database has.
  func probe() throws(RepositoryError) {
    defer { select.reset() }
    try storing { () throws(SQLiteError) in
      select.bind(":project", 0)
      try select.bind(":id", "")
      _ = try select.step()
    }
  }
}

extension Metadata {
  /// Reads the rows (key, value) of a whole set.
  ///
  /// - Parameter isAtRow: Whether the statement stands at the first row already.
  /// - Returns: nil when a row is not UTF-8 or breaks a rule.
  init?(rows: borrowing Statement, isAtRow: Bool = false) throws(SQLiteError) {
    var pairs: [Pair] = []
    var hasRow = isAtRow
    if !isAtRow { hasRow = try rows.step() }
    while hasRow {
      guard let key = rows.text(0), let value = rows.text(1),
        let pair = try? Pair(key: key, value: value)
      else { return nil }
      pairs.append(pair)
      hasRow = try rows.step()
    }
    guard let metadata = try? Metadata(pairs) else { return nil }
    self = metadata
  }
}

/// The readers that are not in use. As many exist as threads have read at the same moment.
final class ReaderPool: Sendable {
  private let path: String
  private let busyTimeoutMilliseconds: Int
  private let idle = Mutex<[IdleReader]>([])

  init(path: String, busyTimeoutMilliseconds: Int) {
    self.path = path
    self.busyTimeoutMilliseconds = busyTimeoutMilliseconds
  }

  /// Lends a reader to one caller.
  func read<T>(
    _ body: (Reader) throws(RepositoryError) -> T
  ) throws(RepositoryError) -> T {
    let reader: Reader
    if let idleReader = idle.withLock({ $0.popLast() }) {
      reader = idleReader.reader
    } else {
      reader = try open()
    }
    defer { idle.withLock { $0.append(IdleReader(reader: reader)) } }
    return try body(reader)
  }

  /// Closes those that are not in use.
  func close() {
    idle.withLock { $0 = [] }
  }

  private func open() throws(RepositoryError) -> Reader {
    try storing { () throws(SQLiteError) in
      try Reader(path: path, busyTimeoutMilliseconds: busyTimeoutMilliseconds)
    }
  }

  /// `@unchecked Sendable` because nobody has the reader while it is here, and one taker then has
  /// it alone; the lock orders the two.
  private struct IdleReader: @unchecked Sendable {
    let reader: Reader
  }
}
