import Foundation
import TestSupport
import Testing

@testable import SQLite

/// A connection that gathers its writes to the log (`Sources/CLogVFS`), beside others that do not, as
/// those of other processes.
@Suite struct LogVFSTests {
  private let folder = TemporaryFolder()

  /// SQLite's own VFS takes the length of a write modulo one more.
  private static let writeBytesMax = 0x1ffff
  private static let pageBytes = 4096

  enum Synchronous: String, CaseIterable {
    case full, normal, off
  }

  /// Makes a database with a log.
  private func makeDatabase() throws -> String {
    try folder.makeDatabase("PRAGMA journal_mode = WAL; CREATE TABLE t (n INTEGER, b BLOB)")
  }

  private func gathering(
    _ path: String, _ synchronous: Synchronous = .full, cachePages: Int = 1000
  ) throws -> Connection {
    let connection = try Connection(
      path: path, mode: .readWrite, busyTimeoutMilliseconds: 0, gathersLogWrites: true)
    try connection.execute(
      "PRAGMA synchronous = \(synchronous.rawValue); PRAGMA cache_size = \(cachePages)")
    return connection
  }

  /// SQL that adds rows of about a page each.
  private func rows(_ numbers: ClosedRange<Int>) -> String {
    """
    WITH RECURSIVE n(i) AS (
      SELECT \(numbers.lowerBound) UNION ALL SELECT i + 1 FROM n WHERE i < \(numbers.upperBound))
    INSERT INTO t SELECT i, randomblob(3000) FROM n
    """
  }

  private func numbers(_ connection: borrowing Connection) throws -> [String] {
    try connection.rows("SELECT n FROM t ORDER BY n")
  }

  private func expectWhole(
    _ path: String, _ sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    #expect(
      try open(path).rows("PRAGMA integrity_check") == ["ok"], sourceLocation: sourceLocation)
  }

  @Test func `a transaction is written in few pieces, as long as SQLite's VFS takes them`() throws {
    let path = try makeDatabase()
    let disk = FaultyDisk(under: path)
    let connection = try gathering(path)
    try connection.execute("SELECT * FROM t")
    disk.record()
    try connection.execute("BEGIN; \(rows(1...200)); COMMIT")
    var log: [UInt8] = []
    let writes = disk.changes.compactMap { change in
      if case .write(.log, let offset, let bytes) = change { (offset, bytes) } else { nil }
    }
    for (offset, bytes) in writes {
      #expect(bytes.count <= Self.writeBytesMax)
      log += Array(repeating: 0, count: max(0, offset + bytes.count - log.count))
      log.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    }
    #expect(log == folder.contents["test.db-wal"])
    #expect(log.count > 200 * Self.pageBytes)
    // The last one, and the page of the frame that commits, may be short.
    #expect(writes.count <= log.count / (Self.writeBytesMax - Self.pageBytes) + 3)
  }

  @Test(arguments: Synchronous.allCases)
  func `whoever else reads sees each commit at once`(synchronous: Synchronous) throws {
    let path = try makeDatabase()
    let connection = try gathering(path, synchronous)
    let reader = try open(path, .readOnly)
    var count = 0
    for size in [1, 2, 1, 40, 3, 100, 1] {
      try connection.execute("BEGIN; \(rows(count + 1...count + size)); COMMIT")
      count += size
      #expect(try numbers(reader) == (1...count).map(String.init))
      #expect(try numbers(open(path)) == (1...count).map(String.init))
    }
    try expectWhole(path)
  }

  /// SQLite writes pages to the log before the commit then, reads them back, and writes them anew.
  @Test(arguments: Synchronous.allCases)
  func `a transaction larger than the cache is whole`(synchronous: Synchronous) throws {
    let path = try makeDatabase()
    let connection = try gathering(path, synchronous, cachePages: 10)
    let reader = try open(path, .readOnly)
    try connection.execute("BEGIN; \(rows(1...100)); UPDATE t SET b = randomblob(3000)")
    #expect(try numbers(reader) == [])
    try connection.execute("DELETE FROM t WHERE n % 2 = 0; UPDATE t SET n = n + 1; COMMIT")
    #expect(try numbers(reader) == stride(from: 2, through: 100, by: 2).map(String.init))
    try expectWhole(path)
  }

  @Test(arguments: [true, false])
  func `what was rolled back never overwrites what another process commits in its place`(
    byClosing: Bool
  ) throws {
    let path = try makeDatabase()
    let outsider = try open(path)
    func spill(_ connection: borrowing Connection) throws {
      try connection.execute("BEGIN; \(rows(1...50))")
      #expect(folder.contents["test.db-wal"]!.count > 20 * Self.pageBytes, "nothing is spilled")
    }
    if byClosing {
      try spill(gathering(path, cachePages: 10))
      try outsider.execute(rows(1...60))
    } else {
      let connection = try gathering(path, cachePages: 10)
      try spill(connection)
      try connection.execute("ROLLBACK")
      try outsider.execute(rows(1...60))
      #expect(try numbers(connection) == (1...60).map(String.init))
      try connection.execute(rows(61...61))
      try expectWhole(path)
    }
    #expect(try numbers(outsider).prefix(60) == (1...60).map(String.init)[...])
    try expectWhole(path)
  }

  struct Fault: Sendable, CustomTestStringConvertible {
    let call: FaultyDisk.Call
    let isFull: Bool
    let staysBroken: Bool
    let isAboveLogVFS: Bool

    static let all = [FaultyDisk.Call.write, .sync, .read].flatMap { call in
      [false, true].flatMap { isAbove in
        [false, true].flatMap { staysBroken in
          (call == .write ? [false, true] : [false]).map {
            Fault(call: call, isFull: $0, staysBroken: staysBroken, isAboveLogVFS: isAbove)
          }
        }
      }
    }

    var testDescription: String {
      "\(call)\(isFull ? ", full" : "")\(staysBroken ? ", from then on" : "")"
        + (isAboveLogVFS ? ", above" : "")
    }
  }

  /// Also when the program goes on with its transaction after an error, or the disk gets better in it.
  @Test(arguments: Fault.all)
  func `a transaction on a disk that fails has all that was done, or nothing`(fault: Fault) throws {
    // There are many of those calls, one much like the other.
    let stride = fault.call == .read ? 97 : fault.isAboveLogVFS ? 13 : 1
    var number = 1 - stride
    var hasFailed = true
    while hasFailed {
      number += stride
      let folder = TemporaryFolder()
      let path = try folder.makeDatabase(
        "PRAGMA journal_mode = WAL; CREATE TABLE t (n INTEGER, b BLOB); \(rows(1...20))")
      let disk = FaultyDisk(under: path, isAboveLogVFS: fault.isAboveLogVFS)
      let connection = try gathering(path, cachePages: 10)
      let before = try numbers(connection)
      disk.fail(
        fault.call, at: number, isFull: fault.isFull, staysBroken: fault.staysBroken)
      var after = before
      var isCommitted = connection.error(executing: "BEGIN IMMEDIATE") == nil
      for step in 1...12 where isCommitted {
        let added = 100 * step + 1...100 * step + 5
        // A savepoint copies each page, so a statement may be undone by itself.
        let change = "UPDATE t SET b = randomblob(3000) WHERE n % 5 = \(step % 5)"
        let isDone =
          connection.error(executing: "SAVEPOINT s; \(rows(added)); \(change)") == nil
        if connection.isInAutocommit { isCommitted = false }
        if isDone { after += added.map(String.init) }
        if step == 8 { disk.heal() }
        if isCommitted {
          let end = isDone ? "RELEASE s" : "ROLLBACK TO s; RELEASE s"
          if connection.error(executing: end) != nil { isCommitted = false }
        }
      }
      isCommitted = isCommitted && connection.error(executing: "COMMIT") == nil
      hasFailed = disk.faultCount > 0
      disk.heal()
      if !connection.isInAutocommit { try connection.execute("ROLLBACK") }
      #expect(hasFailed || isCommitted)
      let expected = isCommitted ? [after] : fault.call == .sync ? [before, after] : [before]
      #expect(expected.contains(try numbers(open(path))), "call \(number)")
      try expectWhole(path)
      try connection.execute(rows(5000...5010))
      #expect(try numbers(open(path)).suffix(11) == (5000...5010).map(String.init)[...])
      try expectWhole(path)
    }
    #expect(number > 1, "the call is never made")
  }
}
