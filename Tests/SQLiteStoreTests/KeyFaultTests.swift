import Conversations
import Repository
import SQLite
import TestSupport
import Testing

@testable import SQLiteStore

/// `conversationd keys` on a disk that fails, with a server beside it.
@Suite struct KeyFaultTests {
  enum Change: CaseIterable {
    case create, revoke
  }

  @Test(
    arguments: Change.allCases,
    [.open, .read, .write, .sync, .access, .fileSize, .lock, .shmMap, .shmLock]
      as [FaultyDisk.Call])
  func `a key is made or revoked when the command says so, and is whole`(
    change: Change, call: FaultyDisk.Call
  ) async throws {
    var number = 0
    var hasFailed = true
    while hasFailed {
      number += 1
      let sample = try FaultSample()
      let repository = try sample.open()
      let before = try StoredContent(path: sample.path)
      var after = before
      switch change {
      case .create: after.add("key new revoked= used=")
      case .revoke: after.replace("key k", by: "revoked=\(FaultSample.now) used=")
      }
      sample.disk.fail(call, at: number, staysBroken: number.isMultiple(of: 2))
      let isDone = isDone(change, sample)
      hasFailed = sample.disk.faultCount > 0
      sample.disk.heal()
      #expect(isDone || hasFailed)
      let allowed = isDone ? [after] : [before, after]
      #expect(allowed.contains(try StoredContent(path: sample.path)), "call \(number)")
      // The server goes on, and what it writes is not mixed with what the command left.
      _ = try await repository.createConversation(metadata: metadata(["a": "1"]), in: .default)
      await repository.close()
      let found = try await sample.recovered()
      let expected = allowed.map { content in
        var content = content
        content.add("new a=1 once=")
        return content
      }
      #expect(expected.contains(found), "call \(number)")
      let outsider = try Connection(
        path: sample.path, mode: .readOnly, busyTimeoutMilliseconds: 1000)
      let projects = try outsider.integer("SELECT count(*) FROM projects")
      #expect((projects == 2) == (change == .create && found == expected.last), "call \(number)")
    }
    #expect(number > 1, "the call is never made")
  }

  private func isDone(_ change: Change, _ sample: FaultSample) -> Bool {
    do {
      let keys = try APIKeys(
        path: sample.path, busyTimeoutMilliseconds: 200, now: FaultSample.now)
      switch change {
      case .create: _ = try keys.create("new", project: "team")
      case .revoke: try keys.revoke(name: "k")
      }
      return true
    } catch APIKeysError.database {
      return false
    } catch is DatabaseError {
      return false
    } catch {
      Issue.record("not a clear error: \(error)")
      return false
    }
  }
}
