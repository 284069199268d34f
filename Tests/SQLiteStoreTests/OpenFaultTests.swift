import Conversations
import Repository
import SQLite
import TestSupport
import Testing

@testable import SQLiteStore

/// Opening and closing a file on a disk that fails, or whose power goes: the next start works.
@Suite struct OpenFaultTests {
  private static let calls: [FaultyDisk.Call] = [
    .open, .read, .write, .sync, .access, .fileSize, .lock, .shmMap, .shmLock, .delete, .truncate,
  ]

  /// A failure while the file is closed is no error of anybody: the log stays, and has everything.
  @Test(arguments: FaultSample.File.allCases, calls)
  func `opening and closing on a disk that fails spoils nothing for the next opening`(
    file: FaultSample.File, call: FaultyDisk.Call
  ) async throws {
    let whole = try await FaultSample(file).recovered()
    var number = 0
    var hasFailed = true
    while hasFailed {
      number += 1
      let sample = try FaultSample(file)
      // Each second failure is for good.
      sample.disk.fail(call, at: number, staysBroken: number.isMultiple(of: 2))
      var failure: DatabaseError?
      do throws(DatabaseError) {
        try await sample.open().close()
      } catch {
        failure = error
      }
      hasFailed = sample.disk.faultCount > 0
      #expect(hasFailed || failure == nil)
      let killed = [.write, .sync].contains(call) ? try sample.killed() : nil
      sample.disk.heal()
      if let killed { #expect(try await killed.recovered() == whole, "call \(number), killed") }
      #expect(try await sample.recovered() == whole, "call \(number)")
    }
    let isNeverMade = file == .closed && [.write, .sync, .truncate].contains(call)
    #expect(number > 1 || isNeverMade, "the call is never made")
  }

  @Test(arguments: FaultSample.File.allCases)
  func `a loss of power while a file is opened leaves one that can be opened`(
    file: FaultSample.File
  ) async throws {
    let whole = try await FaultSample(file).recovered()
    let sample = try FaultSample(file)
    let files = try sample.files()
    sample.disk.record()
    try await sample.open().close()
    let changes = sample.disk.changes
    var replay = FaultReplay(files, seed: 6)
    for (index, change) in changes.enumerated() {
      replay.run(change)
      if case .write = change, index % 8 > 0 { continue }
      for loss in FaultReplay.Loss.allCases {
        let found = try await FaultSample(files: replay.lost(loss)).recovered()
        #expect(found == whole, "change \(index), \(loss) lost")
      }
    }
    #expect(changes.count > 2)
  }

  /// The log is written back during a write that was stored before.
  @Test(
    arguments: [(.write, 1), (.write, 3000), (.sync, 1), (.sync, 2)] as [(FaultyDisk.Call, Int)])
  func `a failure while the log is written back is no error, and is made up for later`(
    call: FaultyDisk.Call, number: Int
  ) async throws {
    let sample = try FaultSample()
    let repository = try sample.open()
    let outsider = try Connection(
      path: sample.path, mode: .readWrite, busyTimeoutMilliseconds: 1000)
    try outsider.execute(
      """
      PRAGMA wal_autocheckpoint = 0;
      CREATE TABLE filler (bytes BLOB);
      INSERT INTO filler VALUES (randomblob(4096 * \(SQLiteStore.checkpointPages)));
      """)
    var expected = try StoredContent(path: sample.path)
    // The first sync is that of the commit itself.
    sample.disk.fail(
      call, on: call == .sync ? [.log, .database] : [.database],
      at: number + (call == .sync ? 1 : 0))
    _ = try await repository.createConversation(metadata: metadata(["a": "1"]), in: .default)
    expected.add("new a=1 once=")
    #expect(sample.disk.faultCount == 1)
    #expect(repository.writes.logWriteBackError?.kind == .io)
    #expect(try await sample.killed().recovered() == expected)

    _ = try await repository.createConversation(metadata: metadata(["a": "1"]), in: .default)
    expected.add("new a=1 once=")
    #expect(repository.writes.logWriteBackError == nil)
    #expect(repository.state.databaseBytes > 4096 * SQLiteStore.checkpointPages)
    await repository.close()
    #expect(try await sample.recovered() == expected)
  }
}
