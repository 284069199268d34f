internal import Glibc
internal import SQLite

/// A copy of a whole database in the making, `TARGET.partial`: it gets the name `TARGET` when it is
/// checked and on disk, so what has that name is whole. Without that it goes with the value; what a
/// crash leaves behind, the next one for the same target takes over.
struct DatabaseCopy: ~Copyable {
  /// How many pages are copied between two reports of progress: 4 MiB.
  private static let pagesAtATime: Int32 = 1024

  private let target: String
  private let partial: String
  /// Locked with flock(2): one at a time makes this copy.
  private let descriptor: Int32
  private var hasItsName = false

  /// Begins an empty copy.
  ///
  /// - Parameters:
  ///   - target: An absolute path.
  ///   - waits: Whether another process that makes a copy under this name is waited for.
  /// - Throws: `.inProgress`, `.cannotWrite`.
  init(target: String, waits: Bool) throws(BackupError) {
    let partial = target + ".partial"
    let descriptor = try Self.lock(partial, waits: waits)
    guard ftruncate(descriptor, 0) == 0 else {
      let errorNumber = errno
      close(descriptor)
      throw .cannotWrite(errorNumber: errorNumber)
    }
    // Those of one that was cut off; SQLite would read them as belonging to this one.
    for suffix in ["-journal", "-wal", "-shm"] { unlink(partial + suffix) }
    self.target = target
    self.partial = partial
    self.descriptor = descriptor
  }

  deinit {
    if !hasItsName { unlink(partial) }
    close(descriptor)
  }

  private static func lock(_ path: String, waits: Bool) throws(BackupError) -> Int32 {
    while true {
      let descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
      guard descriptor >= 0 else { throw .cannotWrite(errorNumber: errno) }
      guard flock(descriptor, LOCK_EX | (waits ? 0 : LOCK_NB)) == 0 else {
        let errorNumber = errno
        close(descriptor)
        throw errorNumber == EWOULDBLOCK ? .inProgress : .cannotWrite(errorNumber: errorNumber)
      }
      var status = stat()
      if fstat(descriptor, &status) == 0, DatabaseFile.isInPlace(path, .init(status)) {
        return descriptor
      }
      // Whoever had the lock has ended, and the file has another name now, or none.
      close(descriptor)
    }
  }

  /// Copies a database as it is at one moment, whoever writes to it meanwhile, and checks the copy.
  ///
  /// - Parameters:
  ///   - source: A file of this program, perhaps of an older version.
  ///   - progress: Called again and again.
  /// - Throws: `.empty`, `.damaged`, `.source`, `.cannotWrite`.
  func fill(from source: String, progress: (BackupProgress) -> Void) throws(BackupError) {
    do {
      let version = try DatabaseFile.state(path: source).version
      guard version > 0 else { throw BackupError.empty }
      try copy(source, progress)
      progress(.checking)
      let findings = try Self.findings(partial, version: version)
      guard findings.isEmpty else { throw BackupError.damaged(findings) }
    } catch let error as SQLiteError where error.kind == .full {
      throw .cannotWrite(errorNumber: ENOSPC)
    } catch {
      throw error as? BackupError ?? .source(DatabaseError(error))
    }
  }

  private func copy(_ source: String, _ progress: (BackupProgress) -> Void) throws {
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

  /// Looks at every row of a file of the newest version, and at the structure of an older one.
  private static func findings(_ path: String, version: Int) throws -> [DatabaseFinding] {
    if version == DatabaseFile.migrator.newestVersion {
      return try Repository.check(path: path).findings
    }
    let check = try DatabaseFile.openReadOnly(path).prepare("PRAGMA integrity_check(1)")
    guard try check.step() else { preconditionFailure("no row") }
    let words = check.repairedText(0)
    return words == "ok" ? [] : [.integrity(words)]
  }

  /// Gives the copy the owner and the mode of another file, as far as this user may.
  func resemble(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return }
    _ = fchown(descriptor, status.st_uid, status.st_gid)
    _ = fchmod(descriptor, status.st_mode & 0o777)
  }

  /// Brings the copy to the disk and gives it its name; a file that had it is gone.
  ///
  /// - Throws: `.cannotWrite`.
  mutating func putInPlace() throws(BackupError) {
    guard fsync(descriptor) == 0 else { throw .cannotWrite(errorNumber: errno) }
    try removeLogs()
    guard rename(partial, target) == 0 else { throw .cannotWrite(errorNumber: errno) }
    hasItsName = true
    try synchronizeFolder()
  }

  /// Removes what belongs to the file that has the name, and must never be read with the copy.
  private func removeLogs() throws(BackupError) {
    guard access(target, F_OK) == 0 else { return }
    // Written back before, as far as it can be read: when all ends here, the old file is whole.
    _ = try? Connection(path: target, mode: .readWrite, busyTimeoutMilliseconds: 5000)
      .execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for suffix in ["-journal", "-wal", "-shm"] where unlink(target + suffix) != 0 {
      guard errno == ENOENT else { throw .cannotWrite(errorNumber: errno) }
    }
    try synchronizeFolder()
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
