internal import Glibc
internal import SQLite

extension SQLiteStore {
  /// Copies a database into a new file, as it is at one moment, also beside a running server, and
  /// checks the copy before the file gets its name.
  ///
  /// - Parameters:
  ///   - path: The database.
  ///   - target: A file that does not exist.
  ///   - progress: Called again and again.
  /// - Returns: Rows that somebody wrote by hand and that are not as they should be.
  /// - Throws: Why there is no copy.
  public static func backUp(
    path: String, to target: String, progress: (BackupProgress) -> Void = { _ in }
  ) throws(BackupError) -> [DatabaseFinding] {
    let target = try absolute(target)
    if let file = DatabaseFile.remains(of: target) { throw .exists(file) }
    var copy = try DatabaseCopy(of: path, at: target, waits: false)
    let findings = try copy.fill(progress: progress).findings
    try copy.putInPlace(replaces: false)
    return findings
  }

  /// Puts a copy of a backup in the place of a database, after a check. API keys that were revoked
  /// since the backup count again.
  ///
  /// - Parameters:
  ///   - backup: A file that `backUp` made, or any database of this program.
  ///   - path: The database.
  ///   - overwrites: Whether there may be a database already, which is gone afterwards.
  ///   - allowsNoKeys: Whether a backup without API keys may replace a database with keys, so that
  ///     requests need none afterwards.
  ///   - progress: Called again and again.
  /// - Returns: Rows that somebody wrote by hand and that are not as they should be.
  /// - Throws: Why nothing was restored: `.exists`; `.target` beside a server (`.inUse`) or another
  ///   process that has the database open (`.sqlite`, `.busy`).
  public static func restore(
    from backup: String, to path: String, overwrites: Bool, allowsNoKeys: Bool = false,
    progress: (BackupProgress) -> Void = { _ in }
  ) throws(BackupError) -> [DatabaseFinding] {
    let path = try absolute(path)
    if !overwrites, let file = DatabaseFile.remains(of: path) { throw .exists(file) }
    // Held until the new file is in place, so that no server begins with the old one.
    let file: DatabaseFile
    do {
      file = try DatabaseFile(path: path, lock: .exclusive)
    } catch {
      throw .target(error)
    }
    // Locking it has made it.
    let wasEmpty = bytes(of: path) == 0
    defer { if wasEmpty, bytes(of: path) == 0 { unlink(path) } }
    guard overwrites || wasEmpty else { throw .exists(path) }
    try refuseForeign(path)
    try refuseSame(backup, path)
    if !allowsNoKeys, (try? SQLiteStore.hasAPIKeys(path: path)) == true,
      (try? SQLiteStore.hasAPIKeys(path: backup)) == false
    {
      throw .withoutKeys
    }

    var copy = try DatabaseCopy(of: backup, at: path, waits: false)
    let findings = try copy.fill(progress: progress).findings
    copy.resemble(path)
    try copy.putInPlace(replaces: true)
    withExtendedLifetime(file) {}
    return findings
  }

  /// A database of ours may be damaged, which is what backups are for; one of others is not ours to
  /// replace.
  private static func refuseForeign(_ path: String) throws(BackupError) {
    do {
      _ = try DatabaseFile.state(path: path)
    } catch {
      if case .migration(.foreign) = error { throw .target(error) }
    }
  }

  private static func refuseSame(_ backup: String, _ path: String) throws(BackupError) {
    var status = stat()
    guard stat(backup, &status) == 0 else { return }
    if DatabaseFile.isInPlace(path, DatabaseFile.Identity(status)) { throw .sameFile }
  }

  private static func absolute(_ path: String) throws(BackupError) -> String {
    do {
      return try DatabaseFile.absolute(path)
    } catch .cannotOpen(let errorNumber) {
      throw .cannotWrite(errorNumber: errorNumber)
    } catch {
      throw .target(error)
    }
  }
}

/// How far a backup or a restore is.
public enum BackupProgress: Sendable {
  /// The copy is made in this file, which nobody needs when its maker ends before the copy has its
  /// name.
  case began(String)
  /// The part that is copied, 0 to 1.
  case copied(Double)
  /// The part that is checked, 0 to 1; of a copy, all of which is there then.
  case checking(Double)
}

/// Why a backup was not made or not restored. What was there is as it was.
public indirect enum BackupError: Error, Equatable, Sendable {
  /// There is a file of this name, and nobody said that it may be replaced.
  case exists(String)
  /// Another process makes the same file.
  case inProgress
  /// The backup is the database that it was to replace.
  case sameFile
  /// The backup has no API keys, and the database that it was to replace has.
  case withoutKeys
  /// There is nothing to copy: the file has no schema yet.
  case empty
  /// What was copied is not whole.
  case damaged([DatabaseFinding])
  /// The operating system does not write the file (open(2), fsync(2), rename(2)).
  case cannotWrite(errorNumber: Int32)
  /// What was to be copied cannot be used.
  case source(DatabaseError)
  /// What was to be replaced is not ours, or another process has it open.
  case target(DatabaseError)
}
