internal import Glibc
public import Repository
internal import SQLite
internal import Synchronization

extension SQLiteStore {
  /// Tells whether writes can reach the disk, from what is known, without reading or writing: whether
  /// the last write did, whether the file is in its place, and how much space is left for it.
  ///
  /// After a write that failed, a probe of the disk runs in the background, at most once in
  /// `Readiness.failureAge`; what it finds counts from the next call on.
  ///
  /// - Throws: Why they cannot.
  public func checkReadiness() throws(RepositoryError) {
    guard isFileInPlace() else { throw .unavailable(.fileGone) }
    guard let outcome = writes.lastOutcome, let error = outcome.error else {
      return try Readiness.requireSpace(path: path)
    }
    if outcome.time + Readiness.failureAge < .now { probe() }
    throw error
  }

  /// Begins to ask the disk, unless somebody does already.
  private func probe() {
    guard !isProbing.exchange(true, ordering: .relaxed) else { return }
    Task {
      // The queue keeps the outcome.
      try? await writes.write { writer throws(RepositoryError) in
        try rethrowing { () throws(SQLiteError) in try writer.touch() }
      }
      isProbing.store(false, ordering: .relaxed)
    }
  }
}

enum Readiness {
  /// How long a write that failed tells that the next one would, too.
  static let failureAge = Duration.seconds(1)
  /// The free space that writes need: the write-ahead log grows to this size between two checkpoints.
  static let freeBytesMin = 16 << 20

  /// - Throws: `.unavailable(.spaceShort)`.
  static func requireSpace(path: String) throws(RepositoryError) {
    var status = statvfs()
    // A file system that tells no size tells no free space either.
    guard statvfs(path, &status) == 0, status.f_blocks > 0 else { return }
    let (bytes, overflows) = Int(status.f_bavail).multipliedReportingOverflow(
      by: Int(status.f_frsize))
    guard overflows || bytes >= freeBytesMin else {
      throw .unavailable(.spaceShort(bytesFree: bytes, bytesMin: freeBytesMin))
    }
  }
}
