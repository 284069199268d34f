import Conversations
import SQLite
import TestSupport
import Testing

@testable import Repository

/// SQLite gets no more memory, as in a container that is at its limit. The limit is that of the whole
/// process, and is lifted before anything else runs.
@Suite(.serialized) struct MemoryFaultTests {
  private let stepBytes = 1024

  /// With a little more memory each time, until it is enough.
  @Test(arguments: FaultWrite.all)
  func `a write without memory is stored or refused, and the next one works`(
    write: FaultWrite
  ) async throws {
    var spareBytes = 0
    while try await fails(write, spareBytes: spareBytes) {
      spareBytes += stepBytes
      try #require(spareBytes < 1 << 20, "no memory is enough")
    }
    #expect(spareBytes > 0, "it needs no memory")
  }

  private func fails(_ write: FaultWrite, spareBytes: Int) async throws -> Bool {
    let sample = try FaultSample()
    let repository = try sample.open()
    let before = try StoredContent(path: sample.path)
    var after = before
    write.change(&after)
    let error = await withSQLiteMemory(spareBytes: spareBytes) {
      await repositoryError { try await write.run(repository) }
    }
    var allowed = error == nil ? [after] : write.hasSteps ? [before, after] : [before]
    switch error {
    case nil, .unavailable(.noMemory): break
    case .commitUnknown: allowed = [before, after]
    case .some(let error): Issue.record("not a clear error: \(error)")
    }
    #expect(allowed.contains(try StoredContent(path: sample.path)), "\(spareBytes) bytes")
    if !repository.isStopped {
      // The next one works, and changes nothing: that is a write too.
      _ = try await repository.changeMetadata(
        of: SampleFile.id(7), in: .default, by: .merge(remove: ["none"], set: []))
    }
    await repository.close()
    #expect(allowed.contains(try await sample.recovered()), "\(spareBytes) bytes")
    return error != nil
  }
}
