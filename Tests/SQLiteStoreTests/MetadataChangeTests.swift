import Conversations
import Repository
import SQLiteStore
import TestSupport
import Testing

/// What a change makes of rows that somebody has written by hand.
@Suite struct MetadataChangeTests {
  private func merge(
    remove: [String] = [], _ pairs: KeyValuePairs<String, String> = [:]
  ) throws -> MetadataChange {
    .merge(remove: KeySet(remove), set: try metadata(pairs).pairs)
  }

  @Test func `a condition is asked of what somebody has written by hand`() async throws {
    let test = try TestRepository()
    let conversation = try await test.create(["a": "1"])
    let stale = Precondition(ifMatch: .oneOf([conversation.contentHash]))
    try test.execute("UPDATE metadata SET value = '2'")
    #expect(
      await repositoryError {
        _ = try await test.repository.changeMetadata(
          of: conversation.id, in: .default, by: merge(["b": "2"]), if: stale)
      } == .preconditionFailed(.ifMatch))
    try test.execute("UPDATE metadata SET value = '1'")
    _ = try await test.repository.changeMetadata(
      of: conversation.id, in: .default, by: merge(["b": "2"]), if: stale)
    #expect(try test.read(conversation.id) == metadata(["a": "1", "b": "2"]))
  }

  @Test func `what cannot be read is not merged into, but replaced and deleted`() async throws {
    let test = try TestRepository()
    let conversation = try await test.create(["a": "1", "b": "2"])
    let known = Precondition(ifMatch: .oneOf([conversation.contentHash]))
    let any = Precondition(ifMatch: .any)
    func breakIt() throws {
      try test.execute("UPDATE metadata SET value = CAST(x'ff' AS TEXT) WHERE key = 'b'")
    }
    func change(by change: MetadataChange, if condition: Precondition) async -> RepositoryError? {
      await repositoryError {
        _ = try await test.repository.changeMetadata(
          of: conversation.id, in: .default, by: change, if: condition)
      }
    }
    try breakIt()
    #expect(
      await change(by: try merge(["c": "3"]), if: any) == .unreadableConversation(conversation.id))
    #expect(await change(by: try merge(["c": "3"]), if: known) == .preconditionFailed(.ifMatch))
    #expect(
      await change(by: .replace(with: .empty), if: known) == .preconditionFailed(.ifMatch))
    #expect(try test.count("metadata") == 2)
    #expect(await change(by: .replace(with: try metadata(["b": "3"])), if: any) == nil)
    #expect(try test.read(conversation.id) == metadata(["b": "3"]))
    try breakIt()
    try await test.repository.deleteConversation(conversation.id, in: .default, if: any)
    #expect(try test.count("metadata") == 0)
  }
}
