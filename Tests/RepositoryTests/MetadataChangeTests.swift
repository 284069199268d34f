import Conversations
import Repository
import TestSupport
import Testing

/// What a change does to a set, and what it demands of it before.
@Suite struct MetadataChangeTests {
  private func merge(
    remove: [String] = [], _ pairs: KeyValuePairs<String, String> = [:]
  ) throws -> MetadataChange {
    .merge(remove: KeySet(remove), set: try metadata(pairs).pairs)
  }

  @Test(arguments: Engine.allCases)
  func `a merge changes what it names`(engine: Engine) async throws {
    let test = try TestStore(engine)
    let conversation = try await test.create(["a": "1", "b": "2", "c": "3"])
    let changed = try await test.store.changeMetadata(
      of: conversation.id, in: .default, by: merge(remove: ["b", "x"], ["c": "4", "d": "5"]))
    #expect(try changed.metadata == metadata(["a": "1", "c": "4", "d": "5"]))
    #expect(try await test.read(conversation.id) == changed.metadata)
  }

  @Test(arguments: Engine.allCases)
  func `a merge that would break a rule stores nothing`(engine: Engine) async throws {
    let test = try TestStore(engine)
    let conversation = try await test.create()
    let full = try Metadata((0..<16).map { try Metadata.Pair(key: "k\($0)", value: "") })
    _ = try await test.store.changeMetadata(
      of: conversation.id, in: .default, by: .replace(with: full))
    #expect(
      await repositoryError {
        _ = try await test.store.changeMetadata(
          of: conversation.id, in: .default, by: merge(["k0": "changed", "new": ""]))
      } == .metadata(.tooManyPairs(count: 17)))
    #expect(try await test.read(conversation.id) == full)
    let changed = try await test.store.changeMetadata(
      of: conversation.id, in: .default, by: merge(remove: ["k0"], ["new": ""]))
    #expect(changed.metadata.pairs.contains { $0.key == "new" })
    #expect(try await test.read(conversation.id) == changed.metadata)
  }

  @Test(arguments: Engine.allCases)
  func `clients that each add a key at the same time lose none`(engine: Engine) async throws {
    let test = try TestStore(engine)
    for _ in 0..<10 {
      let conversation = try await test.create()
      try await withThrowingTaskGroup { group in
        for client in 0..<8 {
          let change = try merge(["client \(client)": "\(client)"])
          group.addTask {
            _ = try await test.store.changeMetadata(
              of: conversation.id, in: .default, by: change)
          }
        }
        try await group.waitForAll()
      }
      #expect(try await test.read(conversation.id).pairs.map(\.value) == (0..<8).map { "\($0)" })
    }
  }

  @Test(arguments: Engine.allCases)
  func `of clients that saw the same content one may change it`(engine: Engine) async throws {
    let test = try TestStore(engine)
    let conversation = try await test.create()
    let seen = Precondition(ifMatch: .oneOf([conversation.contentHash]))
    let errors = await withTaskGroup { group in
      for client in 0..<8 {
        group.addTask {
          await repositoryError {
            _ = try await test.store.changeMetadata(
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

  @Test(arguments: Engine.allCases)
  func `a condition that fails stores nothing, and is asked of what is stored now`(
    engine: Engine
  ) async throws {
    let test = try TestStore(engine)
    let conversation = try await test.create(["a": "1"])
    let stale = Precondition(ifMatch: .oneOf([conversation.contentHash]))
    try await test.replace(conversation.id, ["a": "2"])
    let refusals = [
      await repositoryError {
        _ = try await test.store.changeMetadata(
          of: conversation.id, in: .default, by: merge(["b": "2"]), if: stale)
      },
      await repositoryError {
        try await test.store.deleteConversation(conversation.id, in: .default, if: stale)
      },
    ]
    #expect(refusals == [.preconditionFailed(.ifMatch), .preconditionFailed(.ifMatch)])
    #expect(try await test.read(conversation.id) == metadata(["a": "2"]))

    try await test.replace(conversation.id, ["a": "1"])
    let changed = try await test.store.changeMetadata(
      of: conversation.id, in: .default, by: merge(["b": "2"]), if: stale)
    let fresh = Precondition(ifMatch: .oneOf([changed.contentHash]))
    try await test.store.deleteConversation(conversation.id, in: .default, if: fresh)
    #expect(try await test.count() == 0)
  }

  @Test(arguments: Engine.allCases)
  func `a conversation that does not exist comes before its condition`(
    engine: Engine
  ) async throws {
    let test = try TestStore(engine)
    for condition in [
      Precondition(ifMatch: .oneOf([])), Precondition(ifMatch: .any),
      Precondition(ifNoneMatch: .any),
    ] {
      #expect(
        await repositoryError {
          _ = try await test.store.changeMetadata(
            of: unknownID, in: .default, by: merge(), if: condition)
        } == .conversationNotFound)
      #expect(
        await repositoryError {
          try await test.store.deleteConversation(unknownID, in: .default, if: condition)
        } == .conversationNotFound)
    }
  }
}
