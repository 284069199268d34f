import Conversations
import Repository
import SQLite
import TestSupport
import Testing

@testable import SQLiteStore

/// Each way of writing, with each call of SQLite to the disk failing in its turn, until it succeeds
/// without a failure (https://www.sqlite.org/testing.html, section 3.2).
@Suite struct WriteFaultTests {
  struct Fault: Sendable, CustomTestStringConvertible {
    let call: FaultyDisk.Call
    var isFull = false
    var staysBroken = false
    var isAboveLogVFS = false

    /// Those that each write does.
    static let all =
      faults
      + [
        Fault(call: .write, isAboveLogVFS: true),
        Fault(call: .write, isFull: true, isAboveLogVFS: true),
        Fault(call: .sync, isAboveLogVFS: true),
        Fault(call: .fileSize, isAboveLogVFS: true),
      ]

    private static let faults = [false, true].flatMap { staysBroken in
      [
        Fault(call: .read, staysBroken: staysBroken),
        Fault(call: .write, staysBroken: staysBroken),
        Fault(call: .write, isFull: true, staysBroken: staysBroken),
        Fault(call: .sync, staysBroken: staysBroken),
        Fault(call: .shmLock, staysBroken: staysBroken),
        Fault(call: .fileSize, staysBroken: staysBroken),
      ]
    }

    /// Each page of the log is two calls there, one much like the other.
    var stride: Int { call == .write && isAboveLogVFS ? 5 : 1 }

    var testDescription: String {
      "\(call)\(isFull ? " on a full disk" : "")\(staysBroken ? ", from then on" : "")"
        + (isAboveLogVFS ? ", above the log's VFS" : "")
    }
  }

  @Test(arguments: FaultWrite.all, Fault.all)
  func `a write is stored when it is answered, and not when it is refused`(
    write: FaultWrite, fault: Fault
  ) async throws {
    var number = 0
    while try await fails([write], fault, at: number + 1) { number += fault.stride }
    // What a probe needs is in memory.
    let readsNothing = write.testDescription == "probe the disk" && fault.call == .read
    #expect(number > 0 || readsNothing, "the call is never made")
  }

  /// SQLite takes all of a group back, or a part of it was answered: each request knows.
  @Test(arguments: Fault.all.filter { $0.call != .shmLock && !$0.staysBroken })
  func `of writes that share a commit each is stored as it was answered`(
    fault: Fault
  ) async throws {
    var number = 0
    while try await fails(FaultWrite.requests, fault, at: number + 1) { number += fault.stride }
    #expect(number > 0, "the call is never made")
  }

  /// Runs writes in one group, of which one call fails, and looks at what is stored: now, after the
  /// process is killed, and after it is closed.
  ///
  /// - Returns: Whether it failed, since so many calls were made.
  private func fails(_ writes: [FaultWrite], _ fault: Fault, at number: Int) async throws -> Bool {
    let sample = try FaultSample(isAboveLogVFS: fault.isAboveLogVFS)
    let repository = try sample.open()
    let before = try StoredContent(path: sample.path)
    let errors = try await asOneGroup(on: repository, writes.map(\.run)) {
      sample.disk.fail(
        fault.call, at: number, isFull: fault.isFull, staysBroken: fault.staysBroken)
    }
    let hasFailed = sample.disk.faultCount > 0
    let allowed = before.outcomes(of: writes, errors) { error in
      switch error {
      case .storageFull: fault.isFull
      case .unavailable(.diskFailed): true
      default: false
      }
    }
    let place: Comment = "call \(number): \(errors.map { String(describing: $0) })"
    #expect(hasFailed || errors.allSatisfy { $0 == nil }, place)
    let isWrite = fault.call == .write || fault.call == .sync
    let killed = isWrite && !fault.staysBroken ? try sample.killed() : nil
    if isWrite {
      #expect(try repository.conversation(SampleFile.id(7), in: .default).metadata.pairs.count == 4)
    }
    sample.disk.heal()
    #expect(allowed.contains(try StoredContent(path: sample.path)), place)
    if let killed { #expect(allowed.contains(try await killed.recovered()), place) }
    try await goesOn(
      sample, repository, allowed, isStopped: errors.contains { $0.isUnknown }, place)
    return hasFailed
  }

  /// The next write works, or after an unknown commit none does before the next start.
  private func goesOn(
    _ sample: FaultSample, _ repository: SQLiteStore, _ allowed: [StoredContent], isStopped: Bool,
    _ place: Comment
  ) async throws {
    let next = await repositoryError {
      _ = try await repository.createConversation(metadata: metadata(["next": "1"]), in: .default)
    }
    #expect(next == (isStopped ? .unavailable(.closed) : nil), place)
    #expect(repository.isStopped == isStopped, place)
    // It is told after the group is answered.
    if isStopped { try await waitUntil { sample.stopCount > 0 } }
    #expect(sample.stopCount == (isStopped ? 1 : 0), place)
    await repository.close()
    let found = try await sample.recovered()
    let expected = allowed.map { content in
      var content = content
      if next == nil { content.add("new next=1 once=") }
      return content
    }
    #expect(expected.contains(found), place)
  }
}
