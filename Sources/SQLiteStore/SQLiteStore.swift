public import Conversations
internal import Glibc
public import Repository
internal import SQLite
internal import Synchronization

/// Conversations and their metadata in one file of SQLite.
///
/// A point read runs on the caller's thread, a query on one of a few others, each on a read-only
/// connection of its own. Writes go through one queue that groups them into commits; when a write
/// returns, it is on disk.
public final class SQLiteStore: Store {
  /// How a database is used.
  public struct Settings: Sendable {
    /// When a commit counts as done (https://www.sqlite.org/pragma.html#pragma_synchronous).
    public enum Synchronous: String, CaseIterable, Sendable {
      /// When it has reached the disk.
      case full
      /// When the operating system has it: a loss of power can undo the latest answers.
      case normal
    }

    /// What every engine has.
    public var shared = StoreSettings()
    /// When a commit counts as done.
    public var synchronous = Synchronous.full
    /// How long to wait for another process's lock.
    public var busyTimeoutMilliseconds = 5000
    /// How many queries run at the same time, each on a thread of its own; at least 1.
    public var queryThreads = 2
    /// How large the write-ahead log may stay once nobody needs what is in it.
    public var walBytesMax = 32 << 20

    /// The defaults.
    public init() {}
  }

  // The caches hold the inner pages of the indices and the rows in use; the operating system's own
  // cache has the rest. The write-ahead log is written back in larger pieces than SQLite's 1,000
  // pages, since each time waits for the disk.
  static let readerCacheKiB = 4 * 1024
  static let writerCacheKiB = 16 * 1024
  static let checkpointPages = 4000

  /// What opening the file did to it.
  public let migration: MigrationReport

  let path: String
  /// nil once it is closed.
  private let file: Mutex<DatabaseFile?>
  let readers: ReaderPool
  let queries: QueryPool
  /// Unix seconds.
  let now: @Sendable () -> Int64
  let shared: StoreSettings
  let keyUses = KeyUses()
  /// Once an API key was made, one was made for ever.
  let hasSeenKey = Atomic(false)
  /// Whether a probe of the disk runs.
  let isProbing = Atomic(false)
  let isFileInPlace: @Sendable () -> Bool
  private let walBytesMax: Int
  let writes: WriteQueue

  /// Opens a database, creates it when there is none, and migrates it. No other server can open it
  /// while this one has it.
  ///
  /// - Parameters:
  ///   - path: The file; its folder must exist.
  ///   - settings: How it is used.
  ///   - mustExist: Whether a missing file is an error (`.cannotOpen` with `ENOENT`) and not created.
  ///   - clock: The wall clock, in Unix microseconds.
  ///   - whenGroupEnded: Called after each group of writes, on the writer's thread.
  ///   - whenStopped: Called once when a commit ended in `.commitUnknown` and no further write is
  ///     taken; the process should end then.
  /// - Throws: Why the file cannot be used.
  public init(
    path: String, settings: Settings = Settings(), mustExist: Bool = false,
    clock: @escaping @Sendable () -> Int64 = UnixTime.microseconds,
    whenGroupEnded: @escaping @Sendable (WriteGroup) -> Void = { _ in },
    whenStopped: @escaping @Sendable () -> Void = {}
  ) throws(DatabaseError) {
    let file = try DatabaseFile(path: path, lock: .exclusive, mustExist: mustExist)
    migration = try file.migrate(
      busyTimeoutMilliseconds: settings.busyTimeoutMilliseconds, backsUp: true)
    do {
      isFileInPlace = { [path = file.path, identity = file.identity] in
        DatabaseFile.isInPlace(path, identity)
      }
      let writer = try Writer(path: file.path, settings: settings, clock: clock)
      writes = WriteQueue(
        writer: writer, writesMax: settings.shared.waitingWritesMax,
        lockTimeout: .milliseconds(settings.busyTimeoutMilliseconds),
        isFileInPlace: isFileInPlace, whenGroupEnded: whenGroupEnded, whenStopped: whenStopped)
    } catch {
      throw .sqlite(error)
    }
    self.path = file.path
    walBytesMax = settings.walBytesMax
    readers = ReaderPool(
      path: file.path, busyTimeoutMilliseconds: settings.busyTimeoutMilliseconds)
    queries = QueryPool(
      path: file.path,
      busyTimeoutMilliseconds: min(
        settings.busyTimeoutMilliseconds, settings.shared.queryTimeoutMilliseconds),
      threads: settings.queryThreads,
      timeout: .milliseconds(settings.shared.queryTimeoutMilliseconds))
    now = { clock() / 1_000_000 }
    shared = settings.shared
    self.file = Mutex(file)
  }

  /// Whether a commit ended in `.commitUnknown` and no further write is taken.
  public var isStopped: Bool { writes.isStopped }

  /// Tells that `close` will follow soon: from `timeout` on, writes do not wait for another process's
  /// lock any more, and queries end.
  public func prepareToClose(within timeout: Duration) {
    writes.hurry(within: timeout)
    queries.hurry(within: timeout)
  }

  /// Takes no more writes, commits those that wait, closes the file, and lets others serve it. Reads
  /// must have ended.
  public func close() async {
    // The last connection to close writes the log back, and only the writer may.
    readers.close()
    queries.close()
    await writes.close()
    file.withLock { $0 = nil }
  }

  /// Looks up on the caller's thread: a few microseconds, or a read of the disk.
  public func look(_ lookUp: LookUp) -> Looked {
    .ready(
      Result { () throws(RepositoryError) in
        var snapshot = Snapshot(self)
        return try snapshot.find(lookUp)
      })
  }

  /// Whether an API key was ever created, as of this moment.
  public func hasAPIKeys() throws(RepositoryError) -> Bool {
    var snapshot = Snapshot(self)
    return try snapshot.hasAPIKeys()
  }

  /// Reads a page of the conversations that a query asks for, as of one moment, on a thread of its
  /// own.
  ///
  /// - Parameter timeout: How long it may take, at most; nil for what the settings say.
  /// - Throws: `.cursorNotFound`, `.queryTimeout`, also when the task is cancelled.
  public func conversations(
    _ query: ConversationQuery, in project: ProjectID, within timeout: Duration?
  ) async throws(RepositoryError) -> ConversationPage {
    try await queries.run(within: timeout) { reader, isOver throws(RepositoryError) in
      try reader.page(query, in: project, isOver: isOver)
    }
  }

  /// Counts the conversations that a query asks for, as of one moment, on a thread of its own; the
  /// query's limit and order mean nothing. At the deadline the count is what was counted so far, and
  /// is not exact.
  ///
  /// - Parameter limit: Where to stop.
  public func count(
    of query: ConversationQuery, upTo limit: Int, in project: ProjectID
  ) async throws(RepositoryError) -> ConversationCount {
    try await queries.run { reader, isOver throws(RepositoryError) in
      try reader.count(query, upTo: limit, in: project, isOver: isOver)
    }
  }

  /// Reads a page of the facets that a query asks for, as of one moment, on a thread of its own.
  /// Counts that were not made by the deadline are left out.
  ///
  /// - Throws: `.queryTimeout` when not even the facets are found by then.
  public func facets(
    _ query: FacetQuery, in project: ProjectID
  ) async throws(RepositoryError) -> FacetPage {
    try await queries.run { reader, isOver throws(RepositoryError) in
      try reader.facets(query, in: project, isOver: isOver)
    }
  }

  /// Stores a new conversation, with items in it.
  ///
  /// - Throws: `.item`.
  public func createConversation(
    metadata: Metadata, items: [AddedItem], in project: ProjectID
  ) async throws(RepositoryError) -> Conversation {
    try await writes.write(bytes: items.byteCount) { writer throws(RepositoryError) in
      try writer.createConversation(metadata: metadata, items: items, in: project).conversation
    }
  }

  /// Stores a new conversation, unless one was stored under the same key: then the first answer is
  /// returned once more, for as long as the key is remembered and the conversation exists.
  ///
  /// - Parameter answer: What is answered for a new conversation; it is stored too, and so has no
  ///   U+0000.
  /// - Throws: `.idempotencyKeyReused`.
  public func createConversation(
    metadata: Metadata, items: [AddedItem], in project: ProjectID, once key: IdempotencyKey,
    answer: @escaping @Sendable (Conversation) -> String
  ) async throws(RepositoryError) -> StoredResponse {
    try await writes.write(bytes: items.byteCount) { writer throws(RepositoryError) in
      try writer.createConversation(
        metadata: metadata, items: items, in: project, once: key, answer: answer)
    }
  }

  /// Forgets idempotency keys that are too old, in small steps between which other writes run. Stops
  /// early when the task is cancelled.
  public func forgetOldIdempotencyKeys() async throws(RepositoryError) {
    let oldest = now() - Int64(shared.idempotencySeconds)
    // A reader looks, since the writer would take the lock from others for nothing.
    while try readers.read({ reader throws(RepositoryError) in
      try reader.hasIdempotencyKey(through: oldest)
    }), !Task.isCancelled {
      try await writes.write { writer throws(RepositoryError) in
        try rethrowing { () throws(SQLiteError) in try writer.forgetIdempotencyKeys(through: oldest)
        }
      }
    }
  }

  /// Writes down when keys were last used, all that were since the last time in one write.
  public func writeKeyUses() async throws(RepositoryError) {
    let uses = keyUses.take()
    guard !uses.isEmpty else { return }
    do {
      try await writes.write { writer throws(RepositoryError) in
        try rethrowing { () throws(SQLiteError) in try writer.writeKeyUses(uses) }
      }
    } catch {
      keyUses.giveBack(uses)
      throw error
    }
  }

  /// Deletes a conversation and all that is stored of it.
  ///
  /// - Parameter precondition: What the content must be before, looked at in the same transaction.
  /// - Throws: `.conversationNotFound`, `.preconditionFailed`.
  public func deleteConversation(
    _ id: ConversationID, in project: ProjectID, if precondition: Precondition
  ) async throws(RepositoryError) {
    try await writes.write { writer throws(RepositoryError) in
      try writer.deleteConversation(id, in: project, if: precondition)
    }
  }

  /// Empties the write-ahead log when it is larger than `walBytesMax`, as after somebody read for
  /// long while others wrote. It stays as it is while somebody reads from it or writes to it.
  public func tidyUp() async -> [StoreProblem] {
    var problems: [StoreProblem] = []
    do {
      try await shrinkLog()
    } catch {
      problems.append(
        StoreProblem("the write-ahead log was not emptied", cause: "\(error)", isUrgent: false))
    }
    if let error = writes.logWriteBackError {
      problems.append(
        StoreProblem(
          "the write-ahead log could not be written back when that was last tried, and grows",
          cause: "\(error)", isUrgent: true))
    }
    return problems
  }

  func shrinkLog() async throws(RepositoryError) {
    guard Self.bytes(of: path + "-wal") > walBytesMax else { return }
    try await writes.betweenGroups { writer throws(RepositoryError) in
      try rethrowing { () throws(SQLiteError) in try writer.emptyLog() }
    }
  }

  /// How things stand, for whoever watches.
  public var state: StoreState {
    StoreState(
      waitingWrites: writes.counts.waiting,
      measures: [
        StoreMeasure(
          "database_bytes", .gauge, "The size of the database file.", Self.bytes(of: path)),
        StoreMeasure(
          "database_wal_bytes", .gauge, "The size of the write-ahead log.",
          Self.bytes(of: path + "-wal")),
        StoreMeasure(
          "database_wal_stuck", .gauge,
          "Whether writing the write-ahead log back failed when that was last tried.",
          writes.logWriteBackError == nil ? 0 : 1),
      ])
  }

  /// - Returns: 0 when there is no such file.
  static func bytes(of path: String) -> Int {
    var status = stat()
    return stat(path, &status) == 0 ? Int(status.st_size) : 0
  }

  /// Applies the migrations that a file lacks, and creates the file when there is none.
  ///
  /// - Parameters:
  ///   - path: The file; its folder must exist.
  ///   - busyTimeoutMilliseconds: How long other processes' locks are waited for.
  ///   - backsUp: Whether a database with something in it is copied before it changes.
  /// - Throws: Why the file cannot be used; `.inUse` when a server has it open and something is to
  ///   be applied.
  public static func migrate(
    path: String, busyTimeoutMilliseconds: Int = 5000, backsUp: Bool = true
  ) throws(DatabaseError) -> MigrationReport {
    do {
      let file = try DatabaseFile(path: path, lock: .shared)
      return try file.migrate(
        busyTimeoutMilliseconds: busyTimeoutMilliseconds, backsUp: backsUp)
    } catch .inUse {
      let newest = DatabaseFile.migrator.newestVersion
      guard try DatabaseFile.state(path: path) == .version(newest) else { throw .inUse }
      return MigrationReport(applied: [], backup: nil)
    }
  }
}
