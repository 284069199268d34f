import CLogVFS
import CSQLite

/// One connection to one database file, used by one thread at a time.
///
/// Owns the handle: it is closed when the value goes. Statements may outlive it (`sqlite3_close_v2`),
/// but cannot be compiled again then, which SQLite does when the schema changes: keep it beside them.
public struct Connection: ~Copyable {
  private let database: OpaquePointer
  private let busyTimeoutMilliseconds: Int32
  private let logWriteBack = LogWriteBack()

  /// How a file is opened.
  public enum Mode: Sendable {
    /// Reads only; the file must exist.
    case readOnly
    /// Reads and writes; the file must exist.
    case readWrite
    /// Reads the file alone, whatever is beside it, and without a lock: nobody may write it meanwhile
    /// (https://www.sqlite.org/uri.html, "immutable").
    case immutable
  }

  /// Opens a file. SQLite reads it only with the first statement, so a file that is not a database
  /// is reported there.
  ///
  /// - Parameters:
  ///   - path: The file; never read as a URI.
  ///   - busyTimeoutMilliseconds: How long a statement waits for another connection's lock.
  ///   - gathersLogWrites: Whether what goes to the write-ahead log is written in large pieces, for a
  ///     connection that writes much (`Sources/CLogVFS`).
  /// - Throws: `.cannotOpen` when there is no such file or it is not readable.
  public init(
    path: String, mode: Mode, busyTimeoutMilliseconds: Int, gathersLogWrites: Bool = false
  ) throws(SQLiteError) {
    let access =
      switch mode {
      case .readOnly: SQLITE_OPEN_READONLY
      case .readWrite: SQLITE_OPEN_READWRITE
      case .immutable: SQLITE_OPEN_READONLY | SQLITE_OPEN_URI
      }
    var handle: OpaquePointer?
    // `file:` and `:memory:` mean something else to SQLite at the beginning of a path.
    let file = path.hasPrefix("/") ? path : "./" + path
    let path = mode == .immutable ? "file:\(Self.percentEncoded(file))?immutable=1" : file
    // NOMUTEX: one thread at a time is the owner's promise, so SQLite's own lock is not needed.
    let code = sqlite3_open_v2(
      path, &handle, access | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
      gathersLogWrites ? conversationd_log_vfs() : nil)
    guard let handle, code == SQLITE_OK else {
      let error = SQLiteError(code: code, database: handle)
      sqlite3_close_v2(handle)
      throw error
    }
    database = handle
    self.busyTimeoutMilliseconds = Int32(clamping: busyTimeoutMilliseconds)
    sqlite3_busy_timeout(handle, self.busyTimeoutMilliseconds)
  }

  deinit {
    // A statement that outlives the connection must not find what goes with it.
    sqlite3_wal_hook(database, nil, nil)
    sqlite3_close_v2(database)
  }

  /// Runs one or more statements that bind nothing, and drops their rows.
  ///
  /// - Throws: The first error; the statements before it stay done.
  public func execute(_ sql: String) throws(SQLiteError) {
    try check(sqlite3_exec(database, sql, nil, nil, nil))
  }

  /// Copies this whole database over another one (https://www.sqlite.org/backup.html). Begins anew when
  /// somebody writes to it meanwhile, unless this connection holds a read transaction.
  ///
  /// - Parameters:
  ///   - other: Where to; its content goes.
  ///   - progress: Called after each piece with the number of pages that are done, and of all.
  /// - Throws: The first error; the other database is of no use then.
  public func copy(
    to other: borrowing Connection, pagesAtATime: Int32, progress: (Int, Int) -> Void
  ) throws(SQLiteError) {
    guard let backup = sqlite3_backup_init(other.database, "main", database, "main") else {
      throw SQLiteError(code: sqlite3_extended_errcode(other.database), database: other.database)
    }
    var code = SQLITE_OK
    while code == SQLITE_OK {
      code = sqlite3_backup_step(backup, pagesAtATime)
      let total = Int(sqlite3_backup_pagecount(backup))
      progress(total - Int(sqlite3_backup_remaining(backup)), total)
    }
    sqlite3_backup_finish(backup)
    guard code == SQLITE_DONE else {
      throw SQLiteError(code: code, database: other.database, writingTo: .database)
    }
  }

  /// Compiles one statement, to be run many times.
  ///
  /// - Precondition: `sql` is one whole statement.
  /// - Throws: What SQLite says about the SQL, or about a file that it cannot read.
  public func prepare(_ sql: String) throws(SQLiteError) -> Statement {
    var handle: OpaquePointer?
    var sql = sql
    let code = sql.withUTF8 { bytes in
      bytes.withMemoryRebound(to: CChar.self) { text in
        sqlite3_prepare_v3(
          database, text.baseAddress, Int32(text.count), UInt32(SQLITE_PREPARE_PERSISTENT), &handle,
          nil)
      }
    }
    try check(code)
    guard let handle else { preconditionFailure("no statement in: \(sql)") }
    return Statement(handle)
  }

  /// Reads the one integer that a statement answers, as most `PRAGMA` statements do.
  ///
  /// - Precondition: The statement answers a row.
  public func integer(_ sql: String) throws(SQLiteError) -> Int64 {
    let statement = try prepare(sql)
    guard try statement.step() else { preconditionFailure("no row from: \(sql)") }
    return statement.integer(0)
  }

  /// Whether no transaction is open: also after SQLite rolled one back by itself, which it does
  /// when the disk is full or fails (https://www.sqlite.org/lang_transaction.html, section 2.2).
  public var isInAutocommit: Bool { sqlite3_get_autocommit(database) != 0 }

  /// The number of rows that the last INSERT, UPDATE or DELETE changed by itself, without those
  /// of triggers and foreign keys.
  public var changeCount: Int { Int(sqlite3_changes64(database)) }

  /// How many rows all statements of this connection have inserted, changed or deleted, those of
  /// triggers included (https://www.sqlite.org/c3ref/total_changes.html).
  public var totalChangeCount: Int { Int(sqlite3_total_changes64(database)) }

  /// The integer key of the row that was inserted last.
  public var lastInsertedNumber: Int64 { sqlite3_last_insert_rowid(database) }

  /// Writes the write-ahead log back into the database after each commit that leaves it with so many
  /// pages or more, as far as no reader needs them there (https://www.sqlite.org/wal.html#ckpt). SQLite
  /// does so by itself too, but says nothing when it cannot.
  public func writeLogBack(fromPages pagesMin: Int) {
    logWriteBack.pagesMin = pagesMin
    // Not retained: `deinit` takes the hook away first.
    sqlite3_wal_hook(
      database,
      { logWriteBack, database, name, pageCount in
        let logWriteBack = Unmanaged<LogWriteBack>.fromOpaque(logWriteBack!).takeUnretainedValue()
        logWriteBack.committed(on: database!, name: name!, pageCount: Int(pageCount))
        return SQLITE_OK
      }, Unmanaged.passUnretained(logWriteBack).toOpaque())
  }

  /// Writes the whole log back and empties it, unless another connection reads from it or writes to
  /// it: then what could be written back is, and the log stays as large as it is.
  public func emptyLog() throws(SQLiteError) {
    var pageCount: Int32 = 0
    var writtenBack: Int32 = 0
    // The first waits for nobody, and leaves nothing to do to the second, which has the lock.
    try check(
      sqlite3_wal_checkpoint_v2(
        database, "main", SQLITE_CHECKPOINT_PASSIVE, &pageCount, &writtenBack))
    guard pageCount == writtenBack else { return }
    sqlite3_busy_timeout(database, 0)
    defer { sqlite3_busy_timeout(database, busyTimeoutMilliseconds) }
    let code = sqlite3_wal_checkpoint_v2(database, "main", SQLITE_CHECKPOINT_TRUNCATE, nil, nil)
    if code != SQLITE_BUSY { try check(code) }
  }

  /// Why the log could not be written back when that was last tried; nil when it could.
  public var logWriteBackError: SQLiteError? { logWriteBack.error }

  /// Leaves the write-ahead log as it is when this connection closes, instead of writing it back.
  ///
  /// For a disk that failed: recovery by the next process decides then, from the file alone.
  public func keepWriteAheadLogOnClose() {
    conversationd_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
  }

  /// The path as a URI has it.
  private static func percentEncoded(_ path: String) -> String {
    path.utf8.map { byte in
      let scalar = Unicode.Scalar(byte)
      let isPlain = scalar.isASCII && scalar.value >= 0x20 && !"%?#".unicodeScalars.contains(scalar)
      return isPlain ? String(scalar) : "%" + String(0x100 + Int(byte), radix: 16).dropFirst()
    }.joined()
  }

  private func check(_ code: Int32) throws(SQLiteError) {
    guard code == SQLITE_OK else { throw SQLiteError(code: code, database: database) }
  }
}

/// Writes the write-ahead log of a connection back.
private final class LogWriteBack {
  var pagesMin = Int.max
  private(set) var error: SQLiteError?

  func committed(on database: OpaquePointer, name: UnsafePointer<CChar>, pageCount: Int) {
    guard pageCount >= pagesMin else {
      // Also when another connection has written it back meanwhile.
      error = nil
      return
    }
    let code = sqlite3_wal_checkpoint_v2(database, name, SQLITE_CHECKPOINT_PASSIVE, nil, nil)
    // Another connection is writing it back: what was known before stands.
    if code == SQLITE_BUSY { return }
    error =
      code == SQLITE_OK
      ? nil : SQLiteError(code: code, database: database, writingTo: .database)
  }
}
