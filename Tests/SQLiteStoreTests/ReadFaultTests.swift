import Conversations
import Repository
import TestSupport
import Testing

@testable import SQLiteStore

/// Each way of reading, with each call of SQLite to the disk failing in its turn: never a wrong
/// answer, such as that something is not there.
@Suite struct ReadFaultTests {
  struct Read: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let answer: String
    let run: @Sendable (SQLiteStore) async throws -> String

    static let all = [
      Read(testDescription: "a conversation", answer: "a=1 odd=1 parity=odd") {
        text(try $0.conversation(SampleFile.id(6), in: .default))
      },
      Read(testDescription: "an unknown conversation", answer: "not found") { repository in
        let error = await repositoryError {
          _ = try repository.conversation(SampleFile.id(1000), in: .default)
        }
        if let error, error != .conversationNotFound { throw error }
        return error == nil ? "found" : "not found"
      },
      Read(testDescription: "a page", answer: "55 49 43 37 31") {
        let page = try await $0.conversations(
          query("+note", "parity=even", limit: 5), in: .default)
        return page.conversations.map { "\($0.createdAt)" }.joined(separator: " ")
      },
      Read(testDescription: "a page that is empty", answer: "") {
        let page = try await $0.conversations(query("a=2"), in: .default)
        return page.conversations.map { "\($0.createdAt)" }.joined(separator: " ")
      },
      Read(testDescription: "an API key", answer: "default") {
        try $0.access(keyHash: APIKey.hash(of: FaultSample.key))?.projectName ?? "no access"
      },
      Read(testDescription: "an unknown API key", answer: "no access") {
        try $0.access(keyHash: APIKey.hash(of: "sk-other"))?.projectName ?? "no access"
      },
      Read(testDescription: "whether there are API keys", answer: "true") {
        "\(try $0.hasAPIKeys())"
      },
    ]

    private static func text(_ conversation: Conversation) -> String {
      conversation.metadata.pairs.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
    }
  }

  @Test(
    arguments: Read.all,
    [.open, .read, .access, .fileSize, .lock, .shmMap, .shmLock] as [FaultyDisk.Call])
  func `a read on a disk that fails is an error or right, and right once the disk is`(
    read: Read, call: FaultyDisk.Call
  ) async throws {
    var number = 0
    var hasFailed = true
    while hasFailed {
      number += 1
      let sample = try FaultSample()
      let repository = try sample.open()
      // A part is in the log then.
      _ = try await repository.changeMetadata(
        of: SampleFile.id(6), in: .default,
        by: .merge(remove: ["color"], set: [Metadata.Pair(key: "a", value: "1")]))
      let staysBroken = number.isMultiple(of: 2)
      sample.disk.fail(call, at: number, staysBroken: staysBroken)
      let isWrong = await isWrong(read, on: repository)
      hasFailed = sample.disk.faultCount > 0
      #expect(hasFailed || isWrong == nil, "\(String(describing: isWrong))")
      if staysBroken, hasFailed { _ = await self.isWrong(read, on: repository) }
      sample.disk.heal()
      #expect(try await read.run(repository) == read.answer, "after call \(number) failed")
      await repository.close()
    }
    #expect(number > 1, "the call is never made")
  }

  /// Runs a read, and looks at its answer if it has one.
  ///
  /// - Returns: Its error.
  private func isWrong(_ read: Read, on repository: SQLiteStore) async -> RepositoryError? {
    let error = await repositoryError {
      let answer = try await read.run(repository)
      #expect(answer == read.answer)
    }
    switch error {
    case nil, .unavailable(.diskFailed): break
    case .some(let error): Issue.record("not a clear error: \(error)")
    }
    return error
  }
}
