import Conversations
import Repository
import Testing

/// What a change does to the rows, and what it demands of them before.
@Suite struct MetadataChangeTests {
  private func merge(
    remove: [String] = [], _ pairs: KeyValuePairs<String, String> = [:]
  ) throws -> MetadataChange {
    .merge(remove: KeySet(remove), set: try metadata(pairs).pairs)
  }

  @Test func `a merge changes what it names`() async throws {
    let test = try TestRepository()
    let conversation = try await test.create(["a": "1", "b": "2", "c": "3"])
    let changed = try await test.repository.changeMetadata(
      of: conversation.id, in: .default, by: merge(remove: ["b", "x"], ["c": "4", "d": "5"]))
    #expect(try changed.metadata == metadata(["a": "1", "c": "4", "d": "5"]))
    #expect(try test.read(conversation.id) == changed.metadata)
    #expect(try test.count("metadata") == 3)
  }

  @Test func `a merge that would break a rule stores nothing`() async throws {
    let test = try TestRepository()
    let conversation = try await test.create()
    let full = try Metadata((0..<16).map { try Metadata.Pair(key: "k\($0)", value: "") })
    _ = try await test.repository.changeMetadata(
      of: conversation.id, in: .default, by: .replace(with: full))
    #expect(
      await repositoryError {
        _ = try await test.repository.changeMetadata(
          of: conversation.id, in: .default, by: merge(["k0": "changed", "new": ""]))
      } == .metadata(.tooManyPairs(count: 17)))
    #expect(try test.read(conversation.id) == full)
    _ = try await test.repository.changeMetadata(
      of: conversation.id, in: .default, by: merge(remove: ["k0"], ["new": ""]))
    #expect(try test.read(conversation.id).value(for: "new") == "")
  }

  @Test func `clients that each add a key at the same time lose none`() async throws {
    let test = try TestRepository()
    for _ in 0..<10 {
      let conversation = try await test.create()
      try await withThrowingTaskGroup { group in
        for client in 0..<8 {
          let change = try merge(["client \(client)": "\(client)"])
          group.addTask {
            _ = try await test.repository.changeMetadata(
              of: conversation.id, in: .default, by: change)
          }
        }
        try await group.waitForAll()
      }
      #expect(try test.read(conversation.id).pairs.map(\.value) == (0..<8).map { "\($0)" })
    }
  }

  @Test func `of clients that saw the same content one may change it`() async throws {
    let test = try TestRepository()
    let conversation = try await test.create()
    let seen = Precondition(ifMatch: .oneOf([conversation.contentHash]))
    let errors = await withTaskGroup { group in
      for client in 0..<8 {
        group.addTask {
          await repositoryError {
            _ = try await test.repository.changeMetadata(
              of: conversation.id, in: .default, by: .replace(with: metadata(["a": "\(client)"])),
              if: seen)
          }
        }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(errors.count { $0 == nil } == 1)
    #expect(errors.count { $0 == .preconditionFailed(.ifMatch) } == 7)
  }

  @Test func `a condition that fails stores nothing, and is asked of what is stored now`()
    async throws
  {
    let test = try TestRepository()
    let conversation = try await test.create(["a": "1"])
    let stale = Precondition(ifMatch: .oneOf([conversation.contentHash]))
    // By hand: the hash is of the content, whoever changed it.
    try test.execute("UPDATE metadata SET value = '2'")
    let refusals = [
      await repositoryError {
        _ = try await test.repository.changeMetadata(
          of: conversation.id, in: .default, by: merge(["b": "2"]), if: stale)
      },
      await repositoryError {
        try await test.repository.deleteConversation(conversation.id, in: .default, if: stale)
      },
    ]
    #expect(refusals == [.preconditionFailed(.ifMatch), .preconditionFailed(.ifMatch)])
    #expect(try test.read(conversation.id) == metadata(["a": "2"]))

    try test.execute("UPDATE metadata SET value = '1'")
    let changed = try await test.repository.changeMetadata(
      of: conversation.id, in: .default, by: merge(["b": "2"]), if: stale)
    let fresh = Precondition(ifMatch: .oneOf([changed.contentHash]))
    try await test.repository.deleteConversation(conversation.id, in: .default, if: fresh)
    #expect(try test.count("conversations") == 0)
  }

  @Test func `a conversation that does not exist comes before its condition`() async throws {
    let test = try TestRepository()
    let id = SampleFile.id(1)
    for condition in [
      Precondition(ifMatch: .oneOf([])), Precondition(ifMatch: .any),
      Precondition(ifNoneMatch: .any),
    ] {
      #expect(
        await repositoryError {
          _ = try await test.repository.changeMetadata(
            of: id, in: .default, by: merge(), if: condition)
        } == .conversationNotFound)
      #expect(
        await repositoryError {
          try await test.repository.deleteConversation(id, in: .default, if: condition)
        } == .conversationNotFound)
    }
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
