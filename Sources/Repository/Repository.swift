public import Conversations
internal import Glibc
internal import SQLite
internal import Synchronization

/// Conversations and their metadata on disk.
///
/// Reads run on the caller's thread, on read-only connections of their own. Writes go through one
/// queue that groups them into commits; when a write returns, it is on disk.
public final class Repository: Sendable {
  /// How a database is used.
  public struct Settings: Sendable {
    /// When a commit counts as done (https://www.sqlite.org/pragma.html#pragma_synchronous).
    public enum Synchronous: String, CaseIterable, Sendable {
      /// When it has reached the disk.
      case full
      /// When the operating system has it: a loss of power can undo the latest answers.
      case normal
    }

    /// When a commit counts as done.
    public var synchronous: Synchronous
    /// How long to wait for another process's lock.
    public var busyTimeoutMilliseconds: Int
    /// How many writes may wait for the one writer.
    public var waitingWritesMax: Int

    /// - Parameters:
    ///   - synchronous: When a commit counts as done.
    ///   - busyTimeoutMilliseconds: How long to wait for another process's lock.
    ///   - waitingWritesMax: How many writes may wait for the one writer.
    public init(
      synchronous: Synchronous = .full, busyTimeoutMilliseconds: Int = 5000,
      waitingWritesMax: Int = 4096
    ) {
      self.synchronous = synchronous
      self.busyTimeoutMilliseconds = busyTimeoutMilliseconds
      self.waitingWritesMax = waitingWritesMax
    }
  }

  // The caches hold the inner pages of the indices and the rows in use; the operating system's own
  // cache has the rest. The write-ahead log is written back in larger pieces than SQLite's 1,000
  // pages, since each time waits for the disk.
  static let readerCacheKiB = 4 * 1024
  static let writerCacheKiB = 16 * 1024
  static let checkpointPages = 4000

  /// The names of the migrations that opening the file applied.
  public let appliedMigrations: [String]

  /// nil once it is closed.
  private let file: Mutex<DatabaseFile?>
  private let readers: ReaderPool
  let writes: WriteQueue

  /// Opens a database, creates it when there is none, and migrates it. No other server can open it
  /// while this one has it.
  ///
  /// - Parameters:
  ///   - path: The file; its folder must exist.
  ///   - settings: How it is used.
  ///   - now: The clock, in Unix seconds.
  ///   - whenStopped: Called once when a commit ended in `.commitUnknown` and no further write is
  ///     taken; the process should end then.
  /// - Throws: Why the file cannot be used.
  public init(
    path: String, settings: Settings = Settings(),
    now: @escaping @Sendable () -> Int64 = Repository.unixSeconds,
    whenStopped: @escaping @Sendable () -> Void = {}
  ) throws(DatabaseError) {
    let file = try DatabaseFile(path: path, lock: .exclusive)
    appliedMigrations = try file.migrate(
      busyTimeoutMilliseconds: settings.busyTimeoutMilliseconds)
    do {
      let writer = try Writer(path: file.path, settings: settings, now: now)
      writes = WriteQueue(
        writer: writer, writesMax: settings.waitingWritesMax,
        lockTimeout: .milliseconds(settings.busyTimeoutMilliseconds),
        isFileInPlace: { [path = file.path, identity = file.identity] in
          DatabaseFile.isInPlace(path, identity)
        }, whenStopped: whenStopped)
    } catch {
      throw .sqlite(error)
    }
    readers = ReaderPool(
      path: file.path, busyTimeoutMilliseconds: settings.busyTimeoutMilliseconds)
    self.file = Mutex(file)
  }

  /// The system's clock.
  public static func unixSeconds() -> Int64 { Int64(time(nil)) }

  /// Whether a commit ended in `.commitUnknown` and no further write is taken.
  public var isStopped: Bool { writes.isStopped }

  /// Tells that `close` will follow soon: from `timeout` on, writes do not wait for another process's
  /// lock any more.
  public func prepareToClose(within timeout: Duration) {
    writes.hurry(within: timeout)
  }

  /// Takes no more writes, commits those that wait, closes the file, and lets others serve it. Reads
  /// must have ended.
  public func close() async {
    // The last connection to close writes the log back, and only the writer may.
    readers.close()
    await writes.close()
    file.withLock { $0 = nil }
  }

  /// Reads one conversation, on the caller's thread: a few microseconds, or a read of the disk.
  ///
  /// - Throws: `.conversationNotFound`, `.unreadableConversation`.
  public func conversation(
    _ id: ConversationID, in project: ProjectID
  ) throws(RepositoryError) -> Conversation {
    try readers.read { reader throws(RepositoryError) in
      try reader.conversation(id, in: project)
    }
  }

  /// Stores a new conversation.
  public func createConversation(
    metadata: Metadata, in project: ProjectID
  ) async throws(RepositoryError) -> Conversation {
    try await writes.write { writer throws(RepositoryError) in
      try storing { () throws(SQLiteError) in
        try writer.createConversation(metadata: metadata, in: project)
      }
    }
  }

  /// Makes a conversation's set exactly `metadata`.
  ///
  /// - Throws: `.conversationNotFound`.
  public func replaceMetadata(
    of id: ConversationID, in project: ProjectID, with metadata: Metadata
  ) async throws(RepositoryError) -> Conversation {
    try await writes.write { writer throws(RepositoryError) in
      let conversation = try storing { () throws(SQLiteError) in
        try writer.replaceMetadata(of: id, in: project, with: metadata)
      }
      guard let conversation else { throw .conversationNotFound }
      return conversation
    }
  }

  /// Deletes a conversation and its metadata.
  ///
  /// - Throws: `.conversationNotFound`.
  public func deleteConversation(
    _ id: ConversationID, in project: ProjectID
  ) async throws(RepositoryError) {
    try await writes.write { writer throws(RepositoryError) in
      let wasThere = try storing { () throws(SQLiteError) in
        try writer.deleteConversation(id, in: project)
      }
      guard wasThere else { throw .conversationNotFound }
    }
  }

  /// Returns when the database can be read and written. Costs no write to the disk, except after a
  /// failed one, when only another can tell.
  ///
  /// - Throws: Why it cannot.
  public func checkReadiness() async throws(RepositoryError) {
    try readers.read { reader throws(RepositoryError) in try reader.probe() }
    let mustTouch = writes.lastGroupFailed
    try await writes.write { writer throws(RepositoryError) in
      guard mustTouch else { return }
      try storing { () throws(SQLiteError) in try writer.touch() }
    }
  }

  /// Applies the migrations that a file lacks, and creates the file when there is none.
  ///
  /// - Returns: The names of those that were applied.
  /// - Throws: Why the file cannot be used; `.inUse` when a server has it open and something is to
  ///   be applied.
  public static func migrate(
    path: String, busyTimeoutMilliseconds: Int = 5000
  ) throws(DatabaseError) -> [String] {
    do {
      let file = try DatabaseFile(path: path, lock: .shared)
      return try file.migrate(busyTimeoutMilliseconds: busyTimeoutMilliseconds)
    } catch .inUse {
      let newest = DatabaseFile.migrator.newestVersion
      guard try DatabaseFile.state(path: path) == .version(newest) else { throw .inUse }
      return []
    }
  }
}
