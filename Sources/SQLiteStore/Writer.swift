internal import Conversations
internal import Repository
internal import SQLite

/// The one connection that writes, with its statements: what a request does to the rows, inside the
/// transaction that `WriteQueue` opens and commits.
final class Writer {
  /// What SQLite makes pages of by default.
  private static let pageBytes = 4096
  /// How long SQLite waits for the lock at a time; `WriteQueue` asks again.
  private static let lockPieceMilliseconds = 100

  let connection: Connection
  let settings: StoreSettings
  /// Unix seconds.
  let now: () -> Int64
  var creationClock: CreationClock
  private var changeCountAtBegin = 0
  private var hasTouched = false

  private let begin: Statement
  private let commit: Statement
  private let rollback: Statement
  private let savepoint: Statement
  private let rollbackToSavepoint: Statement
  private let releaseSavepoint: Statement
  let selectNewestID: Statement
  private let insertConversation: Statement
  private let deleteConversation: Statement
  private let selectPairs: Statement
  private let deletePairs: Statement
  private let deletePair: Statement
  private let insertPair: Statement
  private let updatePair: Statement
  let updateKeyUse: Statement
  private let idempotency: IdempotencyTable
  let numbers: RowNumbers
  let items: ItemTable
  private let appendKeys: AppendKeyTable
  let activity: ActivityTable
  let history: HistoryTable
  let keys: KeyTable
  let selectKey: Statement
  let itemRecords: ItemRecords

  /// - Parameter clock: The wall clock, in Unix microseconds.
  init(
    path: String, settings: SQLiteStore.Settings, clock: @escaping () -> Int64
  ) throws(SQLiteError) {
    self.settings = settings.shared
    now = { clock() / 1_000_000 }
    connection = try Connection(
      path: path, mode: .readWrite,
      busyTimeoutMilliseconds: min(settings.busyTimeoutMilliseconds, Self.lockPieceMilliseconds),
      gathersLogWrites: true)
    try connection.execute(
      """
      PRAGMA synchronous = \(settings.synchronous.rawValue);
      PRAGMA foreign_keys = ON;
      PRAGMA cache_size = -\(SQLiteStore.writerCacheKiB);
      PRAGMA journal_size_limit = \(settings.walBytesMax);
      """)
    connection.writeLogBack(
      fromPages: min(SQLiteStore.checkpointPages, settings.walBytesMax / Self.pageBytes))
    begin = try connection.prepare("BEGIN IMMEDIATE")
    commit = try connection.prepare("COMMIT")
    // Compiled before it is needed, which may be when there is no memory for it.
    rollback = try connection.prepare("ROLLBACK")
    savepoint = try connection.prepare("SAVEPOINT request")
    rollbackToSavepoint = try connection.prepare("ROLLBACK TO request")
    releaseSavepoint = try connection.prepare("RELEASE request")
    // Also when its conversation is deleted: a client may hold it as its place in a list.
    selectNewestID = try connection.prepare(
      """
      SELECT max(
        coalesce((SELECT id FROM conversations ORDER BY id DESC LIMIT 1), ''),
        coalesce((SELECT id FROM newest_deleted), ''))
      """)
    // A damaged page is an error of the creations that need it, not of the start.
    creationClock = CreationClock(wallClock: clock, newest: try? Self.newestID(selectNewestID))
    insertConversation = try connection.prepare(
      """
      INSERT INTO conversations (project, id, created_at) VALUES (:project, :id, :created_at)
      """)
    deleteConversation = try connection.prepare(
      "DELETE FROM conversations WHERE number = :number")
    selectPairs = try connection.prepare(
      "SELECT key, value FROM metadata WHERE conversation = :conversation ORDER BY key")
    deletePairs = try connection.prepare("DELETE FROM metadata WHERE conversation = :conversation")
    deletePair = try connection.prepare(
      "DELETE FROM metadata WHERE conversation = :conversation AND key = :key")
    insertPair = try connection.prepare(
      """
      INSERT INTO metadata (project, conversation, key, value)
      VALUES (:project, :conversation, :key, :value)
      """)
    updatePair = try connection.prepare(
      "UPDATE metadata SET value = :value WHERE conversation = :conversation AND key = :key")
    updateKeyUse = try connection.prepare(
      "UPDATE api_keys SET last_used_at = :time WHERE number = :number")
    idempotency = try IdempotencyTable(
      connection, retentionSeconds: settings.shared.idempotencySeconds)
    appendKeys = try AppendKeyTable(
      connection, retentionSeconds: settings.shared.idempotencySeconds)
    activity = try ActivityTable(connection)
    history = try HistoryTable(connection)
    keys = try KeyTable(connection)
    selectKey = try connection.prepare(
      "\(APIKeyRecord.selection) WHERE api_keys.number = :number")
    itemRecords = try ItemRecords(connection)
    numbers = try RowNumbers(connection)
    items = try ItemTable(
      connection, numbers: numbers, copiesBytesMax: settings.shared.copiesBytesMax)
  }

  // MARK: Requests

  /// Stores a new conversation, whose id sorts after every other.
  func createConversation(
    metadata: Metadata, in project: ProjectID
  ) throws(SQLiteError) -> (conversation: Conversation, number: Int64) {
    let id = creationClock.nextID(after: try Self.newestID(selectNewestID))
    let conversation = Conversation(id: id, metadata: metadata)
    return (conversation, try insert(conversation, in: project))
  }

  /// Stores a conversation whose id sorts after every other.
  ///
  /// - Returns: Its number.
  func insert(
    _ conversation: Conversation, in project: ProjectID
  ) throws(SQLiteError) -> Int64 {
    insertConversation.bind(":project", project.number)
    try insertConversation.bind(":id", conversation.id.description)
    insertConversation.bind(":created_at", conversation.createdAt)
    try insertConversation.run()
    let number = connection.lastInsertedNumber
    for pair in conversation.metadata.pairs { try insert(pair, number, project) }
    return number
  }

  /// Stores a new conversation with items in it.
  ///
  /// - Throws: `.item`.
  func createConversation(
    metadata: Metadata, items added: [AddedItem], in project: ProjectID
  ) throws(RepositoryError) -> (conversation: Conversation, number: Int64) {
    let prepared = try items.prepared(added, in: project)
    let created = try rethrowing { () throws(SQLiteError) in
      try createConversation(metadata: metadata, in: project)
    }
    // Its last activity is its creation, which is theirs too.
    _ = try items.add(
      prepared, to: created.number, in: project, now: created.conversation.createdAt)
    return created
  }

  /// Adds items, or finds what is left of those that were added under a key.
  ///
  /// - Throws: `.conversationNotFound`, `.idempotencyKeyReused`, `.item`.
  func appendItems(
    _ added: [AddedItem], to id: ConversationID, in project: ProjectID, once key: IdempotencyKey?
  ) throws(RepositoryError) -> AppendedItems {
    let conversation = try numbers.conversation(id, in: project)
    let now = now()
    if let key, let known = try appendKeys.numbers(of: key, in: project, now: now) {
      let left = try rethrowing { () throws(SQLiteError) in
        known.isEmpty ? [] : try items.items(numbered: ClosedRange(known), of: conversation)
      }
      return AppendedItems(items: left, isReplay: true)
    }
    let prepared = try items.prepared(added, for: conversation, in: project)
    if !added.isEmpty {
      // Before the items: the schema would note their second.
      try rethrowing { () throws(SQLiteError) in
        try activity.note(conversation, atMicroseconds: creationClock.now())
      }
    }
    let numbers = try items.add(prepared, to: conversation, in: project, now: now)
    if let key {
      try rethrowing { () throws(SQLiteError) in
        try appendKeys.remember(
          numbers, of: key, in: project, conversation: conversation, now: now)
      }
    }
    return AppendedItems(items: prepared, isReplay: false)
  }

  /// Deletes an item.
  ///
  /// - Throws: `.conversationNotFound`, `.item`, `.unreadableConversation`.
  func deleteItem(
    _ item: String, of id: ConversationID, in project: ProjectID
  ) throws(RepositoryError) -> Conversation {
    let number = try numbers.conversation(id, in: project)
    guard let itemNumber = try numbers.item(item, of: number, in: project) else {
      throw .item(.notFound(id: item))
    }
    let stored = try rethrowing { () throws(SQLiteError) in try storedMetadata(number) }
    guard let stored else { throw .unreadableConversation(id) }
    try rethrowing { () throws(SQLiteError) in try items.delete(itemNumber) }
    return Conversation(id: id, metadata: stored)
  }

  /// Stores a new conversation under a key, or finds what was answered under it.
  ///
  /// - Throws: `.idempotencyKeyReused`.
  func createConversation(
    metadata: Metadata, items added: [AddedItem], in project: ProjectID, once key: IdempotencyKey,
    answer: (Conversation) -> String
  ) throws(RepositoryError) -> StoredResponse {
    if let known = try idempotency.answer(to: key, in: project, now: now()) { return known }
    let (conversation, number) = try createConversation(
      metadata: metadata, items: added, in: project)
    return try rethrowing { () throws(SQLiteError) in
      let answer = StoredResponse(
        text: answer(conversation), contentHash: conversation.contentHash, isReplay: false)
      try idempotency.remember(answer, to: key, in: project, conversation: number, now: now())
      return answer
    }
  }

  /// Forgets some of the idempotency keys of that time or before.
  func forgetIdempotencyKeys(through oldest: Int64) throws(SQLiteError) {
    try idempotency.forget(through: oldest)
    try appendKeys.forget(through: oldest)
  }

  /// Deletes a conversation and, by the schema, its pairs, its items, its idempotency keys and the sets
  /// that it had before.
  ///
  /// - Throws: `.conversationNotFound`, `.preconditionFailed`.
  func deleteConversation(
    _ id: ConversationID, in project: ProjectID, if precondition: Precondition
  ) throws(RepositoryError) {
    let number = try numbers.conversation(id, in: project)
    if !precondition.isEmpty {
      let stored = try rethrowing { () throws(SQLiteError) in try storedMetadata(number) }
      do {
        try precondition.require(stored, of: id)
      } catch {
        throw RepositoryError(error, of: id)
      }
    }
    try rethrowing { () throws(SQLiteError) in try delete(number) }
  }

  /// Deletes a conversation that is there.
  func delete(_ number: Int64) throws(SQLiteError) {
    deleteConversation.bind(":number", number)
    try deleteConversation.run()
  }

  /// Writes a page with its own content, so that the commit has to reach the disk.
  func touch() throws(SQLiteError) {
    let version = try connection.integer("PRAGMA user_version")
    try connection.execute("PRAGMA user_version = \(version)")
    hasTouched = true
  }

  static func newestID(
    _ select: borrowing Statement
  ) throws(SQLiteError) -> ConversationID? {
    defer { select.reset() }
    guard try select.step() else { preconditionFailure("no row") }
    return select.text(0).flatMap { ConversationID($0) }
  }

  func storedMetadata(_ number: Int64) throws(SQLiteError) -> Metadata? {
    defer { selectPairs.reset() }
    selectPairs.bind(":conversation", number)
    return try Metadata(rows: selectPairs)
  }

  func insert(
    _ pair: Metadata.Pair, _ number: Int64, _ project: ProjectID
  ) throws(SQLiteError) {
    insertPair.bind(":project", project.number)
    insertPair.bind(":conversation", number)
    try insertPair.bind(":key", pair.key)
    try insertPair.bind(":value", pair.value)
    try insertPair.run()
  }

  /// Gives a key that the conversation has another value.
  func update(_ pair: Metadata.Pair, _ number: Int64) throws(SQLiteError) {
    updatePair.bind(":conversation", number)
    try updatePair.bind(":key", pair.key)
    try updatePair.bind(":value", pair.value)
    try updatePair.run()
  }

  func deletePair(_ key: String, _ number: Int64) throws(SQLiteError) {
    deletePair.bind(":conversation", number)
    try deletePair.bind(":key", key)
    try deletePair.run()
  }

  /// Deletes all pairs of a conversation.
  func deleteSet(of number: Int64) throws(SQLiteError) {
    deletePairs.bind(":conversation", number)
    try deletePairs.run()
  }

  // MARK: Transactions

  /// Takes the write lock.
  ///
  /// - Throws: `.busy` when another process holds it for longer than a moment.
  func beginGroup() throws(SQLiteError) {
    rollBackGroup()
    try begin.run()
    changeCountAtBegin = changeCount
    hasTouched = false
  }

  /// Whether the group has something to bring to the disk.
  var groupHasChanges: Bool {
    !hasLostGroup && (hasTouched || changeCount != changeCountAtBegin)
  }

  /// Grows with each row that a statement changes. A statement that fails takes back what it changed
  /// itself, and is not counted (https://www.sqlite.org/lang_conflict.html, "ABORT"): a request
  /// between whose beginning and end the count is the same has left nothing behind.
  var changeCount: Int { connection.totalChangeCount }

  /// Returns when the group is on disk.
  func commitGroup() throws(SQLiteError) {
    try commit.run()
  }

  /// Why the write-ahead log could not be written back when that was last tried; nil when it could.
  var logWriteBackError: SQLiteError? { connection.logWriteBackError }

  /// Empties the write-ahead log, unless somebody reads from it or writes to it.
  func emptyLog() throws(SQLiteError) {
    try connection.emptyLog()
  }

  /// Leaves nothing of the group, if SQLite has not done so itself.
  func rollBackGroup() {
    if !connection.isInAutocommit { try? rollback.run() }
  }

  /// Whether the whole group was rolled back, as SQLite does by itself when the disk is full or fails.
  var hasLostGroup: Bool { connection.isInAutocommit }

  /// Runs one request so that it leaves nothing behind when it fails, and spoils nobody else's. A
  /// savepoint copies each page that the request changes, which makes it half again as expensive.
  func inSavepoint<T>(
    _ body: (Writer) throws(RepositoryError) -> T
  ) throws(RepositoryError) -> T {
    try rethrowing { () throws(SQLiteError) in try savepoint.run() }
    do {
      let result = try body(self)
      try rethrowing { () throws(SQLiteError) in try releaseSavepoint.run() }
      return result
    } catch {
      guard !hasLostGroup else { throw error }
      do {
        try rollbackToSavepoint.run()
        try releaseSavepoint.run()
      } catch {
        // What is half done must not be committed with the others' work: all of it goes.
        rollBackGroup()
      }
      throw error
    }
  }

  /// After a commit whose end is not known: recovery by the next process decides, from the log.
  func leaveToRecovery() {
    connection.keepWriteAheadLogOnClose()
  }
}
