import Conversations
import Repository
import SQLite
import TestSupport
import Testing

@testable import SQLiteStore

/// SQLite gets no more memory, as in a container that is at its limit. The limit is that of the whole
/// process, and is lifted before anything else runs.
@Suite(.serialized) struct MemoryFaultTests {
  private let stepBytes = 2048

  /// With a little more memory each time, until it is enough.
  @Test(arguments: FaultWrite.all)
  func `a write without memory is stored or refused, and the next one works`(
    write: FaultWrite
  ) async throws {
    try await failsUntilThereIsMemory([write], stepBytes: stepBytes)
  }

  @Test func `of writes without memory that share a commit each is stored as it was answered`()
    async throws
  {
    try await failsUntilThereIsMemory(FaultWrite.requests, stepBytes: 4 * stepBytes)
  }

  private func failsUntilThereIsMemory(_ writes: [FaultWrite], stepBytes: Int) async throws {
    var spareBytes = 0
    while try await fails(writes, spareBytes: spareBytes) {
      spareBytes += stepBytes
      try #require(spareBytes < 1 << 20, "no memory is enough")
    }
    #expect(spareBytes > 0, "it needs no memory")
  }

  private func fails(_ writes: [FaultWrite], spareBytes: Int) async throws -> Bool {
    let sample = try FaultSample()
    let repository = try sample.open()
    let before = try StoredContent(path: sample.path)
    let errors = try await withSQLiteMemory(spareBytes: spareBytes) {
      try await asOneGroup(on: repository, writes.map(\.run))
    }
    let allowed = before.outcomes(of: writes, errors) {
      if case .unavailable(.noMemory) = $0 { true } else { false }
    }
    #expect(allowed.contains(try StoredContent(path: sample.path)), "\(spareBytes) bytes")
    if !repository.isStopped {
      // The next one works, and changes nothing: that is a write too.
      _ = try await repository.changeMetadata(
        of: SampleFile.id(7), in: .default, by: .merge(remove: ["none"], set: []))
    }
    await repository.close()
    #expect(allowed.contains(try await sample.recovered()), "\(spareBytes) bytes")
    return errors.contains { $0 != nil }
  }
}
