import Conversations
import Repository
import SQLite
import Synchronization
import TestSupport
import Testing

@testable import SQLiteStore

/// A group has no savepoints until a request fails half done: each request is stored or refused as if
/// it were alone all the same.
@Suite struct WriteGroupTests {
  /// A request that is refused, on the files of `FaultSample`.
  struct Refusal: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let error: RepositoryError
    let run: @Sendable (Writer) throws(RepositoryError) -> Void

    static let all: [Refusal] = metadata + items

    private static let stale = Precondition(ifMatch: .oneOf([]))
    private static let known = SampleFile.id(7)
    private static let unknown = SampleFile.id(1000)
    private static let broken = SampleFile.id(8)
    private static let full = try! Metadata(
      (0..<16).map { try Metadata.Pair(key: "\($0)", value: "") })
    private static let other = IdempotencyKey("key59", request: [])!

    private static let metadata = [
      Refusal(testDescription: "change what is not there", error: .conversationNotFound) {
        writer throws(RepositoryError) in
        _ = try writer.changeMetadata(
          of: unknown, in: .default, by: .replace(with: .empty), if: .none, for: .test)
      },
      Refusal(testDescription: "change what has changed", error: .preconditionFailed(.ifMatch)) {
        writer throws(RepositoryError) in
        _ = try writer.changeMetadata(
          of: known, in: .default, by: .replace(with: .empty), if: stale, for: .test)
      },
      Refusal(testDescription: "add too many pairs", error: .metadata(.tooManyPairs(count: 20))) {
        writer throws(RepositoryError) in
        _ = try writer.changeMetadata(
          of: known, in: .default, by: .merge(remove: [], set: full.pairs), if: .none, for: .test)
      },
      Refusal(
        testDescription: "merge into what is broken", error: .unreadableConversation(broken)
      ) { writer throws(RepositoryError) in
        _ = try writer.changeMetadata(
          of: broken, in: .default, by: .merge(remove: [], set: full.pairs), if: .none, for: .test)
      },
      Refusal(testDescription: "delete what is not there", error: .conversationNotFound) {
        writer throws(RepositoryError) in
        try writer.deleteConversation(unknown, in: .default, if: .none)
      },
      Refusal(testDescription: "delete what has changed", error: .preconditionFailed(.ifMatch)) {
        writer throws(RepositoryError) in
        try writer.deleteConversation(known, in: .default, if: stale)
      },
      Refusal(testDescription: "create with a used key", error: .idempotencyKeyReused) {
        writer throws(RepositoryError) in
        _ = try writer.createConversation(
          metadata: full, items: [item("msg_1")], in: .default, once: other
        ) { _ in "" }
      },
    ]

    private static let items = [
      Refusal(testDescription: "create with an item twice", error: .item(.alreadyInConversation)) {
        writer throws(RepositoryError) in
        _ = try writer.createConversation(
          metadata: full, items: [item("msg_1"), item("msg_1")], in: .default)
      },
      Refusal(
        testDescription: "create with an unknown item",
        error: .item(.referenceNotFound(id: "msg_other"))
      ) { writer throws(RepositoryError) in
        _ = try writer.createConversation(
          metadata: full, items: [item("msg_1"), .reference(id: "msg_other")], in: .default,
          once: IdempotencyKey("new", request: [])!
        ) { _ in "" }
      },
      Refusal(
        testDescription: "create with copies that are too large",
        error: .item(.copiesTooLarge(bytesMax: 1))
      ) { writer throws(RepositoryError) in
        _ = try writer.createConversation(
          metadata: full, items: [item("msg_1"), .reference(id: "msg_known")], in: .default)
      },
      Refusal(testDescription: "append to what is not there", error: .conversationNotFound) {
        writer throws(RepositoryError) in
        _ = try writer.appendItems([item("msg_1")], to: unknown, in: .default, once: nil)
      },
      Refusal(testDescription: "append an item again", error: .item(.alreadyInConversation)) {
        writer throws(RepositoryError) in
        _ = try writer.appendItems(
          [item("msg_1"), item("msg_known")], to: SampleFile.id(4), in: .default, once: nil)
      },
      Refusal(
        testDescription: "append an unknown item",
        error: .item(.referenceNotFound(id: "msg_other"))
      ) { writer throws(RepositoryError) in
        _ = try writer.appendItems(
          [item("msg_1"), .reference(id: "msg_other")], to: known, in: .default,
          once: IdempotencyKey("new", request: [])!)
      },
      Refusal(
        testDescription: "delete an unknown item", error: .item(.notFound(id: "msg_other"))
      ) { writer throws(RepositoryError) in
        _ = try writer.deleteItem("msg_other", of: SampleFile.id(4), in: .default)
      },
      Refusal(
        testDescription: "delete an item of what is broken",
        error: .unreadableConversation(SampleFile.id(8))
      ) { writer throws(RepositoryError) in
        _ = try writer.deleteItem("msg_8", of: SampleFile.id(8), in: .default)
      },
    ]
  }

  /// Counts how often requests run.
  private final class Runs: Sendable {
    private let runs = Atomic(0)
    var count: Int { runs.load(ordering: .relaxed) }
    func add() { runs.add(1, ordering: .relaxed) }
  }

  @Test(arguments: Refusal.all)
  func `a request that is refused has written nothing, so its group runs once`(
    refusal: Refusal
  ) async throws {
    let sample = try FaultSample()
    let outsider = try Connection(
      path: sample.path, mode: .readWrite, busyTimeoutMilliseconds: 1000)
    try outsider.execute(
      """
      UPDATE metadata SET value = CAST(x'ff' AS TEXT) WHERE conversation = 8 AND key = 'color';
      INSERT INTO items (conversation, id, type, created_at, fields)
      VALUES (8, 'msg_8', 'message', 1, '{}');
      """)
    let repository = try SQLiteStore(
      path: sample.path, settings: .init(copiesBytesMax: 1),
      clock: { FaultSample.now * 1_000_000 })
    var expected = try StoredContent(path: sample.path)
    let runs = Runs()
    let errors = try await asOneGroup(
      on: repository,
      [
        { _ = try await $0.createConversation(metadata: metadata(["a": "1"]), in: .default) },
        {
          try await $0.writes.write { writer throws(RepositoryError) in
            runs.add()
            try refusal.run(writer)
          }
        },
        { _ = try await $0.createConversation(metadata: metadata(["b": "1"]), in: .default) },
      ])
    #expect(errors == [nil, refusal.error, nil])
    #expect(runs.count == 1)
    expected.add("new a=1 once=")
    expected.add("new b=1 once=")
    #expect(try StoredContent(path: sample.path) == expected)
  }

  /// How a trigger refuses a row. FAIL leaves what the statement did before.
  enum Raise: String, CaseIterable {
    case abort = "ABORT"
    case fail = "FAIL"

    /// Has the schema refuse the key `boom`, in this way.
    func refuseBoom(in test: TestRepository) throws {
      try test.execute(
        """
        CREATE TRIGGER boom AFTER INSERT ON metadata WHEN NEW.key = 'boom'
        BEGIN SELECT RAISE(\(rawValue), 'boom'); END
        """)
    }
  }

  /// The third of three pairs is refused, so two are written before.
  @Test(arguments: Raise.allCases)
  func `a request that fails half done leaves nothing, and the others of its group are stored`(
    raise: Raise
  ) async throws {
    let test = try TestRepository()
    try raise.refuseBoom(in: test)
    let known = try await test.create(["z": "1"])
    let runs = Runs()
    let answers = Mutex<[String]>([])
    let key = IdempotencyKey("k", request: [])!
    let errors = try await asOneGroup(
      on: test.repository,
      [
        { repository in
          let answer = try await repository.createConversation(
            metadata: metadata(["a": "1"]), in: .default, once: key
          ) { $0.id.description }
          answers.withLock { $0.append(answer.text) }
        },
        {
          _ = try await $0.createConversation(
            metadata: metadata(["a": "1", "aa": "1", "boom": "1"]), in: .default)
        },
        {
          _ = try await $0.changeMetadata(
            of: known.id, in: .default, by: .replace(with: metadata(["a": "2", "boom": "1"])))
        },
        { repository in
          try await repository.writes.write { writer throws(RepositoryError) in
            runs.add()
            _ = try writer.changeMetadata(
              of: known.id, in: .default,
              by: .merge(remove: [], set: try! metadata(["b": "2"]).pairs),
              if: .none, for: .test)
          }
        },
      ])
    #expect(errors[0] == nil)
    for error in errors[1...2] {
      guard case .storage(let cause) = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
      #expect(cause.kind == .constraint)
    }
    #expect(errors[3] == nil)
    #expect(runs.count == 1, "it ran in the second attempt alone")
    #expect(try test.read(known.id) == metadata(["b": "2", "z": "1"]))
    #expect(try test.count("conversations") == 2)
    #expect(try test.count("metadata") == 3)
    // What was answered is what is stored, although the request ran twice.
    let again = try await test.repository.createConversation(
      metadata: metadata(["a": "1"]), in: .default, once: key
    ) { _ in "other" }
    #expect(again.isReplay)
    #expect(answers.withLock { $0 } == [again.text])
    #expect(try test.read(#require(ConversationID(again.text))) == metadata(["a": "1"]))
    // Ids that were made for the first attempt are nobody's.
    #expect(try await test.create().id.description > again.text)
  }

  @Test(arguments: Raise.allCases)
  func `a request alone that fails half done leaves nothing, and the next is stored`(
    raise: Raise
  ) async throws {
    let test = try TestRepository()
    try raise.refuseBoom(in: test)
    let error = await repositoryError { try await test.create(["a": "1", "boom": "1"]) }
    guard case .storage = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(try test.count("conversations") == 0)
    try await test.create(["a": "1"])
    #expect(try test.count("metadata") == 1)
  }

  @Test func `the uses of keys are written though their group runs twice`() async throws {
    let sample = try FaultSample()
    let outsider = try Connection(
      path: sample.path, mode: .readWrite, busyTimeoutMilliseconds: 1000)
    try outsider.execute(
      """
      CREATE TRIGGER boom AFTER INSERT ON metadata WHEN NEW.key = 'boom'
      BEGIN SELECT RAISE(ABORT, 'boom'); END
      """)
    let repository = try sample.open()
    var expected = try StoredContent(path: sample.path)
    #expect(try repository.access(keyHash: APIKey.hash(of: FaultSample.key)) != nil)
    let errors = try await asOneGroup(
      on: repository,
      [
        { try await $0.writeKeyUses() },
        {
          _ = try await $0.createConversation(
            metadata: metadata(["a": "1", "boom": "1"]), in: .default)
        },
      ])
    #expect(errors[0] == nil)
    #expect(errors[1] != nil)
    expected.replace("key k", by: "revoked= used=\(FaultSample.now)")
    #expect(try StoredContent(path: sample.path) == expected)
  }

  @Test func `a group that does not get the lock is refused, and nothing of it is stored`()
    async throws
  {
    let sample = try FaultSample()
    let repository = try sample.open()
    let before = try StoredContent(path: sample.path)
    let outsider = try Connection(
      path: sample.path, mode: .readWrite, busyTimeoutMilliseconds: 1000)
    let errors = try await asOneGroup(on: repository, FaultWrite.requests.map(\.run)) {
      try outsider.execute("BEGIN IMMEDIATE")
    }
    #expect(errors == FaultWrite.requests.map { _ in .unavailable(.locked) })
    try outsider.execute("ROLLBACK")
    #expect(try StoredContent(path: sample.path) == before)
  }
}
