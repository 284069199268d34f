import Conversations
import SQLite
import TestSupport
import Testing

@testable import SQLiteStore

/// How large the write-ahead log stays.
@Suite struct WriteAheadLogTests {
  private static let bytesMax = 1 << 20

  private func repository() throws -> TestRepository {
    try TestRepository(settings: .init(synchronous: .normal, walBytesMax: Self.bytesMax))
  }

  /// Reads, and returns when others have written three times as much as the log may have.
  private func longReader(of test: TestRepository) async throws -> Connection {
    let id = try await test.create().id
    let reader = try Connection(path: test.path, mode: .readOnly, busyTimeoutMilliseconds: 0)
    try reader.execute("BEGIN; SELECT count(*) FROM conversations")
    var count = 0
    while test.repository.state.writeAheadLogBytes < 3 * Self.bytesMax {
      count += 1
      try await test.replace(id, ["a": "\(count)", "b": String(repeating: "b", count: 512)])
    }
    return reader
  }

  @Test func `after a long reader it shrinks as others go on to write`() async throws {
    let test = try repository()
    let reader = try await longReader(of: test)
    try await test.repository.shrinkLog()
    #expect(test.repository.state.writeAheadLogBytes > 2 * Self.bytesMax, "the reader needs it")
    try reader.execute("COMMIT")
    for _ in 1...3 { try await test.create() }
    #expect(test.repository.state.writeAheadLogBytes <= Self.bytesMax)
  }

  @Test func `after a long reader it is emptied, also when nobody writes`() async throws {
    let test = try repository()
    let reader = try await longReader(of: test)
    try reader.execute("COMMIT")
    try await test.repository.shrinkLog()
    #expect(test.repository.state.writeAheadLogBytes == 0)
    #expect(try test.count("conversations") == 1)
  }

  @Test func `one that is small stays, so that an idle server writes nothing`() async throws {
    let test = try TestRepository()
    try await test.create()
    let size = test.repository.state.writeAheadLogBytes
    try await test.repository.shrinkLog()
    #expect(size > 0)
    #expect(test.repository.state.writeAheadLogBytes == size)
  }

  @Test func `another process that writes meanwhile is not waited for`() async throws {
    let test = try repository()
    let reader = try await longReader(of: test)
    try reader.execute("COMMIT")
    let outsider = try test.outsider()
    try outsider.execute("BEGIN IMMEDIATE")
    try await test.repository.shrinkLog()
    try outsider.execute("ROLLBACK")
    try await test.create()
  }
}
