internal import Glibc
internal import Migrations
internal import Repository
public import SQLite

/// The file on disk, held against other servers for as long as the value lives.
///
/// The lock is flock(2)'s on the database file itself: nothing is left behind by a crash, and
/// SQLite's own locks are of another kind. The descriptor is opened before SQLite opens the file and
/// closed after it, since closing any descriptor of a file drops the process's POSIX locks on it.
struct DatabaseFile: ~Copyable, Sendable {
  /// Says in the file's header that it is ours: "conv" in ASCII.
  static let applicationID: Int32 = 0x636f_6e76
  static let migrator = Migrator(applicationID: applicationID, migrations: Migrations.all)

  /// The absolute path, so that SQLite never takes it for a URI or for `:memory:`.
  let path: String
  let identity: Identity
  private let descriptor: Int32

  enum Lock {
    /// Nobody else but readers and the sqlite3 CLI: a server.
    case exclusive
    /// Others of this kind too: migrations, which SQLite orders among themselves.
    case shared
  }

  /// Whether `path` still leads to this file: somebody may have deleted it, or put another in its
  /// place, and what is written then is gone with the last descriptor.
  static func isInPlace(_ path: String, _ identity: Identity) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && Identity(status) == identity
  }

  /// What there is of a database that is not an empty file. A log without its file is read as the log
  /// of the next file of that name.
  static func remains(of path: String) -> String? {
    [path, path + "-wal", path + "-journal"].first { file in
      var status = stat()
      return stat(file, &status) == 0 && (status.st_size > 0 || status.st_mode & S_IFMT != S_IFREG)
    }
  }

  /// Tells one file from every other, whatever it is called.
  struct Identity: Equatable, Sendable {
    private let device: dev_t
    private let inode: ino_t

    init(_ status: stat) {
      device = status.st_dev
      inode = status.st_ino
    }
  }

  /// Opens the file, and creates it with mode 0600 when there is none and there need not be one.
  ///
  /// - Throws: `.cannotOpen` with `ENOENT` when the folder, or a file that must exist, is missing;
  ///   `.inUse`.
  init(path: String, lock: Lock, mustExist: Bool = false) throws(DatabaseError) {
    let path = try Self.absolute(path)
    let creates = mustExist ? 0 : O_CREAT
    let descriptor = open(path, O_RDWR | creates | O_NONBLOCK | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .cannotOpen(errorNumber: errno) }
    let identity: Identity
    do throws(DatabaseError) {
      var status = stat()
      guard fstat(descriptor, &status) == 0 else { throw .cannotOpen(errorNumber: errno) }
      identity = try Self.requireFile(status)
      // A file that was only touched is no database either.
      if mustExist, status.st_size == 0 { throw .cannotOpen(errorNumber: ENOENT) }
    } catch {
      close(descriptor)
      throw error
    }
    guard flock(descriptor, LOCK_NB | (lock == .exclusive ? LOCK_EX : LOCK_SH)) == 0 else {
      let errorNumber = errno
      close(descriptor)
      throw errorNumber == EWOULDBLOCK ? .inUse : .cannotOpen(errorNumber: errorNumber)
    }
    guard Self.isInPlace(path, identity) else {
      // A restore has put another file there, and has just let this one go.
      close(descriptor)
      throw .inUse
    }
    self.path = path
    self.descriptor = descriptor
    self.identity = identity
  }

  deinit {
    close(descriptor)
  }

  /// Refuses a file that is not ours before anything in it changes, then applies what is missing.
  ///
  /// - Parameter backsUp: Whether a database with something in it is copied before.
  func migrate(
    busyTimeoutMilliseconds: Int, backsUp: Bool
  ) throws(DatabaseError) -> MigrationReport {
    // Read-only, since a connection that may write would write back a log that a crash has left.
    let version = try Self.state(path: path).version
    let isChanged = 0 < version && version < Self.migrator.newestVersion
    let backup = backsUp && isChanged ? try backUp(version: version) : nil
    do {
      let connection = try Connection(
        path: path, mode: .readWrite, busyTimeoutMilliseconds: busyTimeoutMilliseconds)
      // The mode is kept in the file; it cannot change inside a migration's transaction.
      let mode = try connection.prepare("PRAGMA journal_mode = WAL")
      guard try mode.step(), mode.text(0) == "wal" else { throw DatabaseError.noWriteAheadLog }
      mode.reset()
      return MigrationReport(applied: try Self.migrator.migrate(connection), backup: backup)
    } catch {
      throw DatabaseError(error)
    }
  }

  /// Keeps a copy of a version. A copy of the same version is replaced, so that a start that fails
  /// again and again does not fill the disk.
  ///
  /// - Returns: The copy; nil when another process has made it, and has begun to migrate.
  private func backUp(version: Int) throws(DatabaseError) -> String? {
    let target = "\(path).version-\(version).backup"
    do {
      var copy = try DatabaseCopy(of: path, at: target, waits: true)
      guard try Self.state(path: path).version == version,
        try copy.fill(progress: { _ in }).version == version
      else { return nil }
      try copy.putInPlace(replaces: true)
      return target
    } catch {
      throw .noBackup(error as? BackupError ?? .source(DatabaseError(error)), path: target)
    }
  }

  /// Opens a file of this program's version to write to it, beside a server that may have it open.
  ///
  /// - Throws: `.cannotOpen` with `ENOENT` when it does not exist; `.notMigrated`.
  static func openMigrated(
    _ path: String, busyTimeoutMilliseconds: Int, isReadOnly: Bool = false
  ) throws(DatabaseError) -> Connection {
    guard try state(path: path) == .version(migrator.newestVersion) else {
      throw .notMigrated(newestKnown: migrator.newestVersion)
    }
    if isReadOnly { return try openReadOnly(path) }
    let path = try absolute(path)
    do {
      let connection = try Connection(
        path: path, mode: .readWrite, busyTimeoutMilliseconds: busyTimeoutMilliseconds)
      try connection.execute("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")
      return connection
    } catch {
      throw .sqlite(error)
    }
  }

  /// Reads what a file that exists says about itself.
  static func state(path: String) throws(DatabaseError) -> Migrator.State {
    do {
      return try migrator.state(of: openReadOnly(path))
    } catch MigrationError.sqlite(let error) where error.needsRollback {
      return try stateAfterRollback(path: path)
    } catch {
      throw DatabaseError(error)
    }
  }

  /// A process that ended in the middle of a transaction without a write-ahead log, as the one is that
  /// creates a file, has left a rollback journal. Until it is rolled back the file says nothing.
  private static func stateAfterRollback(path: String) throws(DatabaseError) -> Migrator.State {
    do {
      let connection = try Connection(
        path: absolute(path), mode: .readWrite, busyTimeoutMilliseconds: 5000)
      return try migrator.state(of: connection)
    } catch {
      throw DatabaseError(error)
    }
  }

  /// - Throws: `.cannotOpen` for a folder; `.notADatabase` for a pipe, a device, and a file of one
  ///   byte, which SQLite takes for an empty one and would write over.
  static func requireFile(_ status: stat) throws(DatabaseError) -> Identity {
    switch status.st_mode & S_IFMT {
    case S_IFREG where status.st_size != 1: return Identity(status)
    case S_IFDIR: throw .cannotOpen(errorNumber: EISDIR)
    default: throw .notADatabase
    }
  }

  /// The path of the file itself, beside which SQLite keeps its log, also where `path` is a link to it.
  ///
  /// - Throws: `.cannotOpen` when the folder is missing or cannot be entered.
  static func absolute(_ path: String) throws(DatabaseError) -> String {
    if let resolved = realpath(path, nil) {
      defer { free(resolved) }
      return String(cString: resolved)
    }
    let cut = path.lastIndex(of: "/")
    let folder = cut.map { path[..<$0] + "/" } ?? "."
    guard let resolved = realpath(String(folder), nil) else {
      throw .cannotOpen(errorNumber: errno)
    }
    defer { free(resolved) }
    let name = cut.map { path[path.index(after: $0)...] } ?? path[...]
    return String(cString: resolved) + "/" + name
  }
}

/// Why a database file cannot be used. Nothing in it was changed, except by migrations that were
/// complete.
public enum DatabaseError: Error, Equatable, Sendable {
  /// The operating system does not open it (open(2)); `ENOENT`: its folder does not exist.
  case cannotOpen(errorNumber: Int32)
  /// Another server has it open.
  case inUse
  /// It cannot be one: a pipe, a device, a file of one byte.
  case notADatabase
  /// The file and its folder may only be read, and there are changes in its write-ahead log, or a
  /// server that makes them, which cannot be read so.
  case unreadableLog
  /// The file system cannot share memory between processes, which the write-ahead log needs.
  case noWriteAheadLog
  /// Its schema is older than this program's, and was to be left as it is.
  case notMigrated(newestKnown: Int)
  /// It was to be copied before a migration, and could not.
  case noBackup(BackupError, path: String)
  /// It is not ours, is too new, or a migration failed.
  case migration(MigrationError)
  /// SQLite does not read it: also `.notADatabase`, `.corrupt`, `.busy` and others.
  case sqlite(SQLiteError)

  init(_ error: any Error) {
    self =
      switch error {
      case let error as DatabaseError: error
      case MigrationError.sqlite(let error): .sqlite(error)
      case let error as MigrationError: .migration(error)
      case let error as SQLiteError: .sqlite(error)
      default: preconditionFailure("\(error) is none of ours")
      }
  }
}
