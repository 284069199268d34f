internal import Glibc
internal import SQLite

extension DatabaseFile {
  /// Opens a file that exists, beside whoever else has it open.
  ///
  /// A database with a write-ahead log is read through files beside it, which SQLite makes. Where this
  /// user may not make them and no server has, the file is read alone, if that is all there is.
  ///
  /// - Throws: `.cannotOpen` with `ENOENT` when it does not exist; `.unreadableLog`.
  static func openReadOnly(_ path: String) throws(DatabaseError) -> Connection {
    let path = try absolute(path)
    // Looked at without opening it: a pipe would wait for its other end, and closing a descriptor
    // would drop the locks of this process.
    var status = stat()
    guard stat(path, &status) == 0, access(path, R_OK) == 0 else {
      throw .cannotOpen(errorNumber: errno)
    }
    _ = try requireFile(status)
    do throws(SQLiteError) {
      let connection = try Connection(path: path, mode: .readOnly, busyTimeoutMilliseconds: 5000)
      guard lacksLogFiles(connection), access(folder(of: path), W_OK) != 0 else {
        return connection
      }
    } catch {
      throw .sqlite(error)
    }
    return try openAlone(path)
  }

  /// Whether SQLite cannot make the files beside a database that it reads a log through.
  private static func lacksLogFiles(_ connection: borrowing Connection) -> Bool {
    do {
      _ = try connection.integer("SELECT count(*) FROM sqlite_schema")
      return false
    } catch {
      // Everything else is found again by whoever reads.
      return error.kind == .cannotOpen || (error.kind == .readOnly && !error.needsRollback)
    }
  }

  /// Opens a file without its log, which would hide the rows that are only there: so there must be no
  /// log, and no server that writes one. (One that starts later writes into the file itself only
  /// after 16 MiB of log.)
  private static func openAlone(_ path: String) throws(DatabaseError) -> Connection {
    var status = stat()
    if stat(path + "-wal", &status) == 0, status.st_size > 0 { throw .unreadableLog }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .cannotOpen(errorNumber: errno) }
    defer { close(descriptor) }
    guard flock(descriptor, LOCK_NB | LOCK_SH) == 0 else { throw .unreadableLog }
    do {
      return try Connection(path: path, mode: .immutable, busyTimeoutMilliseconds: 0)
    } catch {
      throw .sqlite(error)
    }
  }

  private static func folder(of path: String) -> String {
    String(path[...path.lastIndex(of: "/")!])
  }
}
