import CSQLite
import Glibc

/// What SQLite answered instead of doing what was asked.
///
/// Holds SQLite's own words, which name tables, columns and constraints; bound values are never
/// part of them (https://www.sqlite.org/rescode.html).
public struct SQLiteError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The extended result code.
  public let code: Int32
  /// SQLite's message for the code, in English.
  public let message: String
  /// Whether a write went past somebody's quota, which SQLite tells as an I/O error like any other.
  public let isOverQuota: Bool

  /// The groups of result codes that callers tell apart; `code` has the rest.
  public enum Kind: Sendable {
    /// Another connection holds the lock (`SQLITE_BUSY`, `SQLITE_LOCKED`).
    case busy
    /// No space is left, on the disk or in a quota, or the database is at its largest (`SQLITE_FULL`).
    case full
    /// The operating system reported an I/O error (`SQLITE_IOERR`).
    case io
    /// A CHECK, a trigger, a key or NOT NULL refused the row (`SQLITE_CONSTRAINT`).
    case constraint
    /// The file is not a database (`SQLITE_NOTADB`).
    case notADatabase
    /// The file's content is damaged (`SQLITE_CORRUPT`).
    case corrupt
    /// The file cannot be opened (`SQLITE_CANTOPEN`).
    case cannotOpen
    /// The file or its folder does not allow writing (`SQLITE_READONLY`, `SQLITE_PERM`).
    case readOnly
    /// There is no memory (`SQLITE_NOMEM`).
    case memory
    /// Everything else.
    case other
  }

  /// The group that the error belongs to.
  public var kind: Kind {
    if isOverQuota { return .full }
    return switch code & 0xff {
    case SQLITE_BUSY, SQLITE_LOCKED: .busy
    case SQLITE_FULL: .full
    case SQLITE_IOERR: .io
    case SQLITE_CONSTRAINT: .constraint
    case SQLITE_NOTADB: .notADatabase
    case SQLITE_CORRUPT: .corrupt
    case SQLITE_CANTOPEN: .cannotOpen
    case SQLITE_READONLY, SQLITE_PERM: .readOnly
    case SQLITE_NOMEM: .memory
    default: .other
    }
  }

  /// Whether a crash has left a rollback journal, which only a connection that may write can roll
  /// back (`SQLITE_READONLY_ROLLBACK`).
  public var needsRollback: Bool { code == SQLITE_READONLY | 3 << 8 }

  /// Whether a CHECK refused the row (`SQLITE_CONSTRAINT_CHECK`).
  public var isCheck: Bool { code == SQLITE_CONSTRAINT | 1 << 8 }

  /// For the log: the code and SQLite's words.
  public var description: String {
    "SQLite error \(code): \(message)\(isOverQuota ? ", since a quota is full" : "")"
  }

  /// A file of a database.
  enum File {
    /// The one that has its name.
    case database
    /// The write-ahead log, to which goes what a transaction writes.
    case log
  }

  /// - Parameters:
  ///   - code: An extended result code.
  ///   - database: The connection that reported it, for its words; nil takes the code's own.
  ///   - file: What it may have been writing to.
  init(code: Int32, database: OpaquePointer?, writingTo file: File = .log) {
    self.code = code
    if let database, sqlite3_extended_errcode(database) == code {
      message = String(cString: sqlite3_errmsg(database))
    } else {
      message = String(cString: sqlite3_errstr(code))
    }
    // SQLITE_IOERR_WRITE alone: when a write of the log fails, the commit in it is not whole, but
    // after any other error it may be.
    isOverQuota =
      code == SQLITE_IOERR | 3 << 8
      && database.map { file.lastErrorNumber(in: $0) } == EDQUOT
  }
}

extension SQLiteError.File {
  /// What the operating system said when a call on the file last failed; 0 when none did.
  ///
  /// `sqlite3_system_errno` does not know it after a COMMIT.
  fileprivate func lastErrorNumber(in connection: OpaquePointer) -> Int32 {
    let pointer =
      switch self {
      case .database: SQLITE_FCNTL_FILE_POINTER
      case .log: SQLITE_FCNTL_JOURNAL_POINTER
      }
    var file: UnsafeMutablePointer<sqlite3_file>?
    var errorNumber: Int32 = 0
    if sqlite3_file_control(connection, "main", pointer, &file) == SQLITE_OK {
      _ = file?.pointee.pMethods?.pointee.xFileControl?(
        file, SQLITE_FCNTL_LAST_ERRNO, &errorNumber)
    }
    return errorNumber
  }
}
