import Foundation
import SQLite
import TestSupport
import Testing

@testable import SQLiteStore

/// The power goes at any moment, and what was not synced is lost, or kept, or half of it in any
/// order: an answered write is on disk.
@Suite struct CrashFaultTests {
  @Test(arguments: [1, 2] as [UInt64])
  func `whatever was answered is there after a loss of power, and whatever was not is whole or not`(
    seed: UInt64
  ) async throws {
    let history = try FaultHistory(seed: seed)
    try await history.run(rounds: 25)
    await history.close()
    var count = 0
    try await forEachCrash(of: history, seed: seed) { sample, place, loss in
      count += 1
      try await sample.recover()
      let wrong = try history.violations(sample.conversations(), at: place)
      #expect(wrong == [], "seed \(seed), after change \(place), \(loss) lost")
    }
    #expect(count > 100)
  }

  /// Proves that the disk above loses what it should: the setting is documented to lose the latest
  /// answers, and nothing but them.
  @Test func `with synchronous normal the latest answers are lost, and nothing is broken`()
    async throws
  {
    let seed: UInt64 = 4
    let history = try FaultHistory(seed: seed, synchronous: .normal)
    try await history.run(rounds: 20)
    await history.close()
    var lostCount = 0
    try await forEachCrash(of: history, seed: seed) { sample, place, loss in
      try await sample.recover()
      let found = try sample.conversations()
      lostCount += history.violations(found, at: place).count
      #expect(history.violations(found, at: place, anyVersion: true) == [])
    }
    #expect(lostCount > 0)
  }

  /// What a failed sync did not bring to the disk the operating system may drop, and the next sync
  /// says nothing of it. From the first commit after the restart on everything is on disk again.
  @Test func `a sync that fails loses nothing that was answered before or is answered later`()
    async throws
  {
    var number = 0
    var hasFailed = true
    while hasFailed {
      number += 1
      let history = try FaultHistory(seed: 5)
      history.sample.disk.fail(.sync, at: number)
      try await history.run(rounds: 10)
      hasFailed = history.sample.disk.faultCount > 0
      await history.close()
      let unsafe = history.sample.disk.changes.recovery
      try await forEachCrash(of: history, seed: UInt64(number), everyNth: 4) {
        sample, place, loss in
        if unsafe.contains(place) { return }
        try await sample.recover()
        let wrong = try history.violations(sample.conversations(), at: place)
        #expect(wrong == [], "sync \(number), after change \(place), \(loss) lost")
      }
    }
    #expect(number > 5)
  }

  /// Opens what a loss of power leaves, around each sync and at some other changes.
  private func forEachCrash(
    of history: FaultHistory, seed: UInt64, everyNth stride: Int = 1,
    _ body: (_ sample: FaultSample, _ place: Int, _ loss: FaultReplay.Loss) async throws -> Void
  ) async throws {
    var replay = FaultReplay(history.initialFiles, seed: seed)
    var count = 0
    func crash(_ loss: FaultReplay.Loss, at place: Int) async throws {
      count += 1
      guard count.isMultiple(of: stride) else { return }
      try await body(FaultSample(files: replay.lost(loss)), place, loss)
    }
    for (index, change) in history.sample.disk.changes.enumerated() {
      if change.isSync {
        for loss in FaultReplay.Loss.allCases { try await crash(loss, at: index) }
      }
      replay.run(change)
      if change.isSync {
        try await crash(.everything, at: index + 1)
      } else if index % 23 == 0 {
        try await crash(.some, at: index + 1)
      }
    }
  }
}

extension [FaultyDisk.Change] {
  /// From a sync of the log that failed until the next log was synced with its name in the folder.
  fileprivate var recovery: Range<Int> {
    let failed = firstIndex { if case .sync(.log, failed: true) = $0 { true } else { false } }
    guard let failed else { return 0..<0 }
    let made = self[failed...].firstIndex { if case .made(.log) = $0 { true } else { false } }
    let synced = self[(made ?? count)...].firstIndex {
      if case .sync(.log, failed: false) = $0 { true } else { false }
    }
    return failed..<(synced ?? count) + 1
  }
}

extension FaultyDisk.Change {
  fileprivate var isSync: Bool {
    if case .sync = self { true } else { false }
  }
}
