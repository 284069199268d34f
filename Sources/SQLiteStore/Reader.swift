internal import Conversations
internal import Repository
internal import SQLite
internal import Synchronization

/// One read-only connection with its statements.
final class Reader {
  /// A statement compiles itself again when somebody changes the schema, also by VACUUM, and that
  /// needs the connection to be open.
  private let connection: Connection
  private let selectPairs: Statement
  private let select: Statement
  private let selectItem: Statement
  private let selectOldKey: Statement
  private let selectOldVersion: Statement
  private let selectDataVersion: Statement
  private let selectAccess: Statement
  private let selectAnyAPIKey: Statement
  private let selectAPIKey: Statement

  /// What was found of API keys by their hashes, as long as nobody has written to the database since:
  /// what somebody revokes counts from the next transaction on.
  private var knownKeys: [String: KnownKey] = [:]
  private var knownDataVersion: Int64 = 0
  private static let knownKeysMax = 1000

  /// The key that was shown last, and its hash, which takes longer to compute than to look up.
  private var lastKey = (text: "", hash: APIKey.hash(of: ""))

  private struct KnownKey {
    let access: Access
    let expiresAt: Int64?
  }

  init(path: String, busyTimeoutMilliseconds: Int) throws(SQLiteError) {
    connection = try Connection(
      path: path, mode: .readOnly, busyTimeoutMilliseconds: busyTimeoutMilliseconds)
    try connection.execute("PRAGMA cache_size = -\(SQLiteStore.readerCacheKiB)")
    // One statement is one snapshot: the set is whole, whatever is written meanwhile. Text sorts by
    // its bytes. A pair knows its project too, so the index of ids and the pairs have all that is
    // asked for, and the conversation's own row, one more page of a large database, is not read.
    selectPairs = try connection.prepare(
      """
      SELECT metadata.key, metadata.value
      FROM conversations JOIN metadata ON metadata.conversation = conversations.number
      WHERE conversations.id = :id AND metadata.project = :project
      ORDER BY metadata.key
      """)
    // Also of one without pairs.
    select = try connection.prepare(
      """
      SELECT metadata.key, metadata.value
      FROM conversations
      LEFT JOIN metadata ON metadata.conversation = conversations.number
      WHERE conversations.id = :id AND conversations.project = :project
      ORDER BY metadata.key
      """)
    selectItem = try connection.prepare(
      """
      SELECT items.id, items.type, items.fields
      FROM conversations
      LEFT JOIN items ON items.project = conversations.project AND items.id = :item
        AND items.conversation = conversations.number
      WHERE conversations.id = :id AND conversations.project = :project
      """)
    selectOldKey = try connection.prepare(
      """
      SELECT EXISTS (SELECT 1 FROM idempotency_keys WHERE created_at <= :oldest)
        OR EXISTS (SELECT 1 FROM append_idempotency_keys WHERE created_at <= :oldest)
      """)
    selectOldVersion = try connection.prepare(
      "SELECT EXISTS (SELECT 1 FROM metadata_history WHERE version < :oldest)")
    // Differs from before when another connection has committed, of whatever process; a step of it
    // costs a sixth of a look-up.
    selectDataVersion = try connection.prepare("PRAGMA data_version")
    selectAccess = try connection.prepare(
      """
      SELECT api_keys.number, api_keys.project, projects.name, api_keys.is_read_only,
        api_keys.expires_at, api_keys.name, api_keys.is_admin, api_keys.requests_per_minute
      FROM api_keys JOIN projects ON projects.number = api_keys.project
      WHERE api_keys.hash = :hash AND api_keys.revoked_at IS NULL
      """)
    selectAnyAPIKey = try connection.prepare("SELECT EXISTS (SELECT 1 FROM api_keys)")
    selectAPIKey = try connection.prepare(
      "\(APIKeyRecord.selection) WHERE api_keys.number = :number")
  }

  /// Begins a read transaction, which lasts as long as this statement stands at its row, and forgets
  /// the keys if somebody has written since the last one.
  func begin() throws(RepositoryError) {
    let version = try rethrowing { () throws(SQLiteError) in
      guard try selectDataVersion.step() else { preconditionFailure("no row") }
      return selectDataVersion.integer(0)
    }
    if version != knownDataVersion { knownKeys = [:] }
    knownDataVersion = version
  }

  /// Ends the read transaction, if one has begun.
  func end() {
    selectDataVersion.reset()
  }

  /// - Throws: `.conversationNotFound`, `.unreadableConversation`.
  func conversation(
    _ id: ConversationID, in project: ProjectID
  ) throws(RepositoryError) -> Conversation {
    if let found = try conversation(id, in: project, selectPairs) { return found }
    if let found = try conversation(id, in: project, select) { return found }
    throw .conversationNotFound
  }

  private func conversation(
    _ id: ConversationID, in project: ProjectID, _ select: borrowing Statement
  ) throws(RepositoryError) -> Conversation? {
    defer { select.reset() }
    let hasRow = try rethrowing { () throws(SQLiteError) in
      try select.bind(":id", id.description)
      select.bind(":project", project.number)
      return try select.step()
    }
    guard hasRow else { return nil }
    if select.isNull(0) { return Conversation(id: id, metadata: .empty) }
    let metadata = try rethrowing { () throws(SQLiteError) in
      try Metadata(rows: select, isAtRow: true)
    }
    guard let metadata else { throw .unreadableConversation(id) }
    return Conversation(id: id, metadata: metadata)
  }

  /// - Throws: `.conversationNotFound`, `.item`, `.unreadableItem`.
  func item(
    _ item: String, of id: ConversationID, in project: ProjectID
  ) throws(RepositoryError) -> Item {
    defer { selectItem.reset() }
    let hasRow = try rethrowing { () throws(SQLiteError) in
      try selectItem.bind(":item", item)
      try selectItem.bind(":id", id.description)
      selectItem.bind(":project", project.number)
      return try selectItem.step()
    }
    guard hasRow else { throw .conversationNotFound }
    guard !selectItem.isNull(0) else { throw .item(.notFound(id: item)) }
    guard let found = Item(row: selectItem) else { throw .unreadableItem }
    return found
  }

  /// Whether there is an idempotency key of that time or before.
  func hasIdempotencyKey(through oldest: Int64) throws(RepositoryError) -> Bool {
    try isAny(selectOldKey, oldest)
  }

  /// Whether there is a former set with a number before that one.
  func hasMetadataVersion(before oldest: Int64) throws(RepositoryError) -> Bool {
    try isAny(selectOldVersion, oldest)
  }

  private func isAny(
    _ select: borrowing Statement, _ oldest: Int64
  ) throws(RepositoryError) -> Bool {
    defer { select.reset() }
    select.bind(":oldest", oldest)
    return try rethrowing { () throws(SQLiteError) in
      try select.step() && select.integer(0) == 1
    }
  }

  /// `APIKey.hash`, remembered of the last key.
  func hash(of key: String) -> String {
    if !key.hasSameSecret(as: lastKey.text) { lastKey = (key, APIKey.hash(of: key)) }
    return lastKey.hash
  }

  /// What the bearer of an API key may do; nil when the key does not count, whyever.
  func access(keyHash: String, now: Int64) throws(RepositoryError) -> Access? {
    let key = try rethrowing { () throws(SQLiteError) -> KnownKey? in
      if let known = knownKeys[keyHash] { return known }
      guard let found = try findKey(hash: keyHash) else { return nil }
      if knownKeys.count == Self.knownKeysMax { knownKeys = [:] }
      knownKeys[keyHash] = found
      return found
    }
    guard let key, key.expiresAt.map({ $0 > now }) ?? true else { return nil }
    return key.access
  }

  private func findKey(hash: String) throws(SQLiteError) -> KnownKey? {
    defer { selectAccess.reset() }
    try selectAccess.bind(":hash", hash)
    guard try selectAccess.step() else { return nil }
    return KnownKey(
      access: Access(
        project: ProjectID(number: selectAccess.integer(1)),
        projectName: selectAccess.repairedText(2),
        rights: APIKeyRights(
          isReadOnly: selectAccess.integer(3) != 0, isAdmin: selectAccess.integer(6) != 0),
        keyNumber: selectAccess.integer(0), keyName: selectAccess.repairedText(5),
        requestsPerMinute: selectAccess.isNull(7) ? nil : Int(selectAccess.integer(7))),
      expiresAt: selectAccess.isNull(4) ? nil : selectAccess.integer(4))
  }

  /// What is known of an API key; nil when there is none with that number.
  func apiKey(_ number: Int64) throws(RepositoryError) -> APIKeyRecord? {
    defer { selectAPIKey.reset() }
    selectAPIKey.bind(":number", number)
    return try rethrowing { () throws(SQLiteError) in
      try selectAPIKey.step() ? APIKeyRecord(row: selectAPIKey) : nil
    }
  }

  /// Whether an API key was ever made.
  func hasAPIKeys() throws(RepositoryError) -> Bool {
    defer { selectAnyAPIKey.reset() }
    return try rethrowing { () throws(SQLiteError) in
      try selectAnyAPIKey.step() && selectAnyAPIKey.integer(0) == 1
    }
  }
}

extension Metadata {
  /// Reads the rows (key, value) of a whole set, in the order of the keys.
  ///
  /// - Parameter isAtRow: Whether the statement stands at the first row already.
  /// - Returns: nil when a row is not UTF-8 or breaks a rule.
  init?(rows: borrowing Statement, isAtRow: Bool = false) throws(SQLiteError) {
    var builder = Builder()
    var hasRow = isAtRow
    if !isAtRow { hasRow = try rows.step() }
    while hasRow {
      guard rows.withBytes(0, 1, { builder.add(key: $0, value: $1) }) else { return nil }
      hasRow = try rows.step()
    }
    self = builder.metadata
  }
}

extension String {
  /// Whether both have the same bytes, in a time that does not depend on where they differ.
  fileprivate func hasSameSecret(as other: String) -> Bool {
    let (bytes, others) = (utf8Span.span, other.utf8Span.span)
    guard bytes.count == others.count else { return false }
    var difference: UInt8 = 0
    for index in bytes.indices { difference |= bytes[index] ^ others[index] }
    return difference == 0
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
    let reader = try take()
    defer { giveBack(reader) }
    return try body(reader)
  }

  /// Lends a reader until `giveBack`.
  func take() throws(RepositoryError) -> Reader {
    if let idleReader = idle.withLock({ $0.popLast() }) { return idleReader.reader }
    return try rethrowing { () throws(SQLiteError) in
      try Reader(path: path, busyTimeoutMilliseconds: busyTimeoutMilliseconds)
    }
  }

  /// Takes a reader back, and ends its read transaction.
  func giveBack(_ reader: Reader) {
    reader.end()
    idle.withLock { $0.append(IdleReader(reader: reader)) }
  }

  /// Closes those that are not in use.
  func close() {
    idle.withLock { $0 = [] }
  }

  /// `@unchecked Sendable` because nobody has the reader while it is here, and one taker then has
  /// it alone; the lock orders the two.
  private struct IdleReader: @unchecked Sendable {
    let reader: Reader
  }
}
