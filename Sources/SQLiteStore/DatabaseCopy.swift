internal import Glibc
internal import SQLite

/// A copy of a whole database in the making, `TARGET.partial`: it gets the name `TARGET` when it is
/// checked and on disk, so what has that name is whole. Without that it goes with the value; what a
/// crash leaves behind, the next one for the same target takes over.
struct DatabaseCopy: ~Copyable {
  /// How many pages are copied between two reports of progress: 4 MiB.
  private static let pagesAtATime: Int32 = 1024

  private let source: String
  private let target: String
  private let partial: String
  /// Locked with flock(2): one at a time makes this copy.
  private let descriptor: Int32
  private var hasItsName = false

  /// Begins an empty copy.
  ///
  /// - Parameters:
  ///   - source: A file of this program, perhaps of an older version.
  ///   - target: An absolute path.
  ///   - waits: Whether another process that makes a copy under this name is waited for.
  /// - Throws: `.inProgress`, `.exists`, `.cannotWrite`.
  init(of source: String, at target: String, waits: Bool) throws(BackupError) {
    let partial = target + ".partial"
    let descriptor = try Self.lock(partial, source: source, waits: waits)
    // Those of one that was cut off; SQLite would read them as belonging to this one.
    for suffix in ["-journal", "-wal", "-shm"] { unlink(partial + suffix) }
    self.source = source
    self.target = target
    self.partial = partial
    self.descriptor = descriptor
  }

  deinit {
    if !hasItsName { unlink(partial) }
    close(descriptor)
  }

  /// Makes the file, or empties one that was left behind.
  private static func lock(
    _ path: String, source: String, waits: Bool
  ) throws(BackupError) -> Int32 {
    while true {
      let descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
      guard descriptor >= 0 else { throw .cannotWrite(errorNumber: errno) }
      do throws(BackupError) {
        guard flock(descriptor, LOCK_EX | (waits ? 0 : LOCK_NB)) == 0 else {
          throw errno == EWOULDBLOCK ? .inProgress : .cannotWrite(errorNumber: errno)
        }
        if try empty(descriptor, path, source) { return descriptor }
      } catch {
        close(descriptor)
        throw error
      }
      // Whoever had the lock has ended, and the file has another name now, or none.
      close(descriptor)
    }
  }

  /// - Returns: Whether the file still has its name.
  private static func empty(
    _ descriptor: Int32, _ path: String, _ source: String
  ) throws(BackupError) -> Bool {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .cannotWrite(errorNumber: errno) }
    let identity = DatabaseFile.Identity(status)
    guard DatabaseFile.isInPlace(path, identity) else { return false }
    // What others made, or gave a second name to, may be theirs; and what is to be read is not emptied.
    let isOwn =
      status.st_mode & S_IFMT == S_IFREG && status.st_uid == geteuid() && status.st_nlink == 1
    guard isOwn, !DatabaseFile.isInPlace(source, identity) else { throw .exists(path) }
    guard fchmod(descriptor, 0o600) == 0, ftruncate(descriptor, 0) == 0 else {
      throw .cannotWrite(errorNumber: errno)
    }
    return true
  }

  /// Copies the database as it is at one moment, whoever writes to it meanwhile, and checks the copy.
  ///
  /// - Parameter progress: Called again and again.
  /// - Returns: The version of its schema, and rows that are not as they should be in the database
  ///   either.
  /// - Throws: `.empty`, `.damaged`, `.source`, `.cannotWrite`.
  func fill(
    progress: (BackupProgress) -> Void
  ) throws(BackupError) -> (version: Int, findings: [DatabaseFinding]) {
    progress(.began(partial))
    do {
      guard try DatabaseFile.state(path: source).version > 0 else { throw BackupError.empty }
      try copy(progress)
      let findings = try Self.findings(partial, progress)
      guard !findings.contains(where: \.isDamage) else { throw BackupError.damaged(findings) }
      return (try DatabaseFile.state(path: partial).version, findings)
    } catch let error as SQLiteError where error.kind == .full {
      throw .cannotWrite(errorNumber: error.isOverQuota ? EDQUOT : ENOSPC)
    } catch {
      throw error as? BackupError ?? .source(DatabaseError(error))
    }
  }

  private func copy(_ progress: (BackupProgress) -> Void) throws {
    let source = try DatabaseFile.openReadOnly(source)
    let copy = try Connection(path: partial, mode: .readWrite, busyTimeoutMilliseconds: 0)
    // Nobody needs half a copy back, and `putInPlace` waits for the disk.
    try copy.execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
    // Held while it is copied: without it, it would begin anew at each write of others.
    try source.execute("BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1")
    try source.copy(to: copy, pagesAtATime: Self.pagesAtATime) { done, total in
      progress(.copied(total > 0 ? Double(done) / Double(total) : 1))
    }
    // One file, that may be moved: whoever serves it makes it have a write-ahead log again.
    try copy.execute("PRAGMA journal_mode = DELETE")
  }

  private static func findings(
    _ path: String, _ progress: (BackupProgress) -> Void
  ) throws(DatabaseError) -> [DatabaseFinding] {
    do {
      return try SQLiteStore.check(path: path, progress: progress).findings
    } catch .notMigrated {
      return []
    }
  }

  /// Gives the copy the owner and the mode of another file, as far as this user may.
  func resemble(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return }
    _ = fchown(descriptor, status.st_uid, status.st_gid)
    _ = fchmod(descriptor, status.st_mode & 0o777)
  }

  /// Brings the copy to the disk and gives it its name.
  ///
  /// - Parameter replaces: Whether a database may have the name, which is gone then.
  /// - Throws: `.exists`, `.target` when another process has that database open, `.cannotWrite`.
  mutating func putInPlace(replaces: Bool) throws(BackupError) {
    guard fsync(descriptor) == 0 else { throw .cannotWrite(errorNumber: errno) }
    if replaces, access(target, F_OK) == 0 {
      let old = try closeOld()
      guard rename(partial, target) == 0 else { throw .cannotWrite(errorNumber: errno) }
      withExtendedLifetime(old) {}
    } else {
      try takeFreeName()
    }
    hasItsName = true
    try synchronizeFolder()
  }

  /// Unlike rename(2), link(2) replaces nothing; some file systems have only the former.
  private func takeFreeName() throws(BackupError) {
    if link(partial, target) == 0 {
      unlink(partial)
    } else {
      guard errno == EPERM || errno == EOPNOTSUPP, access(target, F_OK) != 0,
        rename(partial, target) == 0
      else { throw errno == EEXIST ? .exists(target) : .cannotWrite(errorNumber: errno) }
    }
  }

  /// Makes the old database one file, whose log is written back and gone, and keeps everybody out of
  /// it: a log of the old file must never be read with the new one. Whatever ends here, the old one is
  /// whole.
  ///
  /// - Returns: The connection that holds it; nil when nobody can read it.
  private func closeOld() throws(BackupError) -> HeldDatabase? {
    do {
      return try HeldDatabase(target)
    } catch {
      // Otherwise somebody else has it open (the sqlite3 CLI, a replicating program, `keys`), or the disk
      // does not take what is in the log.
      let isDamaged = error.kind == .corrupt || error.kind == .notADatabase
      guard isDamaged else { throw .target(.sqlite(error)) }
    }
    for suffix in ["-journal", "-wal", "-shm"] where unlink(target + suffix) != 0 {
      guard errno == ENOENT else { throw .cannotWrite(errorNumber: errno) }
    }
    try synchronizeFolder()
    return nil
  }

  /// Brings the names of files to the disk, so that they outlive a loss of power.
  private func synchronizeFolder() throws(BackupError) {
    let descriptor = open(String(target[...target.lastIndex(of: "/")!]), O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .cannotWrite(errorNumber: errno) }
    defer { close(descriptor) }
    // Some file systems have nothing to do there, and say so.
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw .cannotWrite(errorNumber: errno)
    }
  }
}

/// A database without a log, which nobody else reads or writes while the value lives.
private final class HeldDatabase {
  private let connection: Connection

  /// - Throws: `.busy` when another process has it open.
  init(_ path: String) throws(SQLiteError) {
    connection = try Connection(path: path, mode: .readWrite, busyTimeoutMilliseconds: 1000)
    // Removes the log, which SQLite does only for the one connection that is left.
    try connection.execute("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE")
  }
}
