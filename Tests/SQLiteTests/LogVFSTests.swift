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
    try folder.makeDatabase(
      "PRAGMA journal_mode = WAL; CREATE TABLE t (n INTEGER NOT NULL, b BLOB)")
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

  /// SQLite takes one statement back when the disk is full and the statement may break a constraint.
  @Test func `a full disk that stops one statement leaves no gap in the transaction`() throws {
    let path = try makeDatabase()
    let disk = FaultyDisk(under: path)
    let connection = try gathering(path, cachePages: 10)
    try connection.execute("BEGIN; \(rows(1...50))")
    disk.fail(.write, at: 1, isFull: true)
    let update = "UPDATE t SET n = n + 0, b = randomblob(3000)"
    #expect(connection.error(executing: update)?.kind == .full)
    #expect(disk.faultCount == 1)
    let goesOn = !connection.isInAutocommit
    try #require(goesOn)
    try connection.execute("COMMIT")
    #expect(try numbers(open(path)) == (1...50).map(String.init))
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
    let stride = fault.call == .read ? 61 : fault.isAboveLogVFS ? 17 : 1
    var number = 1
    while try fails(fault, at: number) {
      if fault.staysBroken { _ = try fails(fault, at: number, healsBefore: number % 4 + 2) }
      number += stride
    }
    #expect(number > 1, "the call is never made")
  }

  /// Runs a transaction of 5 steps, larger than the cache, in which a call fails.
  ///
  /// - Parameter healedStep: Before which the disk gets better.
  /// - Returns: Whether it failed, since so many calls were made.
  private func fails(
    _ fault: Fault, at number: Int, healsBefore healedStep: Int? = nil
  ) throws -> Bool {
    let folder = TemporaryFolder()
    // Nothing below it waits for the machine's own disk.
    let still = FaultyDisk(under: folder.file("test.db"))
    defer { withExtendedLifetime(still) {} }
    let path = try folder.makeDatabase(
      "PRAGMA journal_mode = WAL; CREATE TABLE t (n INTEGER NOT NULL, b BLOB); \(rows(1...20))")
    let disk = FaultyDisk(under: path, isAboveLogVFS: fault.isAboveLogVFS)
    let connection = try gathering(path, cachePages: 10)
    // What a rollback reads again is in the log then.
    try connection.execute(rows(21...30))
    let before = try numbers(connection)
    disk.fail(fault.call, at: number, isFull: fault.isFull, staysBroken: fault.staysBroken)
    var after = before
    var isOpen = connection.error(executing: "BEGIN IMMEDIATE") == nil
    for step in 1...5 where isOpen {
      if step == healedStep { disk.heal() }
      let added = 100 * step + 1...100 * step + 5
      // A statement that may break a constraint can be undone by itself.
      let change = "UPDATE t SET n = n + 0, b = randomblob(3000) WHERE n % 5 = \(step % 5)"
      let isDone = connection.error(executing: "SAVEPOINT s; \(rows(added)); \(change)") == nil
      if isDone { after += added.map(String.init) }
      isOpen = !connection.isInAutocommit
      let end = isDone ? "RELEASE s" : "ROLLBACK TO s; RELEASE s"
      if isOpen { isOpen = connection.error(executing: end) == nil }
    }
    let isCommitted = isOpen && connection.error(executing: "COMMIT") == nil
    let hasFailed = disk.faultCount > 0
    disk.heal()
    if !connection.isInAutocommit { try connection.execute("ROLLBACK") }
    #expect(hasFailed || isCommitted)
    let isKnown = isCommitted || fault.call != .sync
    try expect(isCommitted ? [after] : isKnown ? [before] : [before, after], in: folder)
    try connection.execute(rows(5000...5010))
    #expect(try numbers(open(path)).suffix(11) == (5000...5010).map(String.init)[...])
    try expectWhole(path)
    return hasFailed
  }

  /// Looks at what others read, and at what a start after a crash reads.
  private func expect(_ allowed: [[String]], in folder: TemporaryFolder) throws {
    let killed = TemporaryFolder()
    for (name, bytes) in folder.contents where !name.hasSuffix("-shm") {
      _ = killed.makeFile(named: name, bytes)
    }
    for path in [folder.file("test.db"), killed.file("test.db")] {
      #expect(allowed.contains(try numbers(open(path))))
      try expectWhole(path)
    }
  }
}
