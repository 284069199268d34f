import CFaultVFS
public import Foundation

/// The disk under one database, which fails when a test says so, and which knows what
/// is on it and what is only on its way there (`Tests/CFaultVFS`).
///
/// `@unchecked Sendable` because the C side locks.
public final class FaultyDisk: @unchecked Sendable {
  /// The calls of SQLite that can fail.
  public enum Call: String, CaseIterable, Sendable {
    case open, read, write, truncate, sync, delete, access, fileSize, lock, shmMap, shmLock

    var bit: UInt32 {
      let kind =
        switch self {
        case .open: FAULT_OPEN
        case .read: FAULT_READ
        case .write: FAULT_WRITE
        case .truncate: FAULT_TRUNCATE
        case .sync: FAULT_SYNC
        case .delete: FAULT_DELETE
        case .access: FAULT_ACCESS
        case .fileSize: FAULT_FILE_SIZE
        case .lock: FAULT_LOCK
        case .shmMap: FAULT_SHM_MAP
        case .shmLock: FAULT_SHM_LOCK
        }
      return kind.rawValue
    }

  }

  /// The files of a database.
  public enum File: CaseIterable, Sendable {
    case database, log, journal

    /// What comes after the name of the database.
    public var suffix: String {
      switch self {
      case .database: ""
      case .log: "-wal"
      case .journal: "-journal"
      }
    }

    var bit: UInt32 {
      let file =
        switch self {
        case .database: FAULT_DATABASE
        case .log: FAULT_WAL
        case .journal: FAULT_JOURNAL
        }
      return file.rawValue
    }
  }

  /// Something that was done to a file.
  public enum Change: Sendable {
    case made(File)
    /// A write that failed holds what it wrote all the same.
    case write(File, offset: Int, bytes: Data)
    case truncate(File, size: Int)
    case sync(File, failed: Bool)
    case delete(File)
  }

  private let disk: OpaquePointer

  /// Watches the files of a database when they are opened from now on.
  ///
  /// - Parameter isAboveLogVFS: Whether it lies above `Sources/CLogVFS`: then it watches only
  ///   connections that gather their writes to the log, and fails each call of SQLite, not each that
  ///   reaches the disk.
  public init(under path: String, isAboveLogVFS: Bool = false) {
    disk = fault_disk_create(path, isAboveLogVFS ? 1 : 0)
  }

  deinit {
    fault_disk_release(disk)
  }

  /// Makes the n-th call of a kind fail, from 1 on.
  ///
  /// - Parameters:
  ///   - isFull: Whether the disk is full, instead of broken.
  ///   - staysBroken: Whether all calls of the kind after it fail too.
  public func fail(
    _ calls: Call..., on files: [File] = File.allCases, at number: Int, isFull: Bool = false,
    staysBroken: Bool = false
  ) {
    let kinds = calls.reduce(0) { $0 | $1.bit }
    let code = isFull ? fault_code_full() : fault_natural_code(calls[0].bit)
    fault_disk_arm(
      disk, kinds, files.reduce(0) { $0 | $1.bit }, number, code, staysBroken ? 1 : 0)
  }

  /// Lets all calls through again.
  public func heal() { fault_disk_disarm(disk) }

  /// How many calls have failed since `fail`.
  public var faultCount: Int { fault_disk_fired(disk) }

  /// Records from now on what changes on the disk.
  public func record() { fault_disk_record(disk) }

  /// How many changes were recorded.
  public var changeCount: Int { fault_disk_entry_count(disk) }

  /// What was recorded.
  public var changes: [Change] { (0..<changeCount).map { change(fault_disk_entry(disk, $0)) } }

  private func change(_ entry: fault_entry) -> Change {
    let file = File.allCases.first { $0.bit == entry.file }!
    let offset = Int(entry.offset)
    return switch Call.allCases.first(where: { $0.bit == entry.kind })! {
    case .open: .made(file)
    case .write:
      .write(
        file, offset: offset,
        bytes: entry.length == 0 ? Data() : Data(bytes: entry.bytes, count: entry.length))
    case .truncate: .truncate(file, size: offset)
    case .sync: .sync(file, failed: entry.failed != 0)
    case .delete: .delete(file)
    default: preconditionFailure("is not recorded")
    }
  }
}

/// Limits the memory that SQLite may take, in the whole process, while `body` runs.
///
/// - Parameter spareBytes: How much more than it has.
public func withSQLiteMemory<T>(
  spareBytes: Int, _ body: () async throws -> T
) async rethrows -> T {
  fault_heap_limit(fault_heap_used() + Int64(spareBytes))
  defer { fault_heap_limit(0) }
  return try await body()
}
