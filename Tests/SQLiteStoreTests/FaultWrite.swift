import Conversations
import Repository
import SQLite
import TestSupport
import Testing

@testable import SQLiteStore

/// A write, and what is different afterwards.
struct FaultWrite: Sendable, CustomTestStringConvertible {
  let testDescription: String
  /// Whether it is several writes, of which some may have been done when it fails.
  var hasSteps = false
  let run: @Sendable (SQLiteStore) async throws -> Void
  let change: @Sendable (inout StoredContent) -> Void

  /// Each on a conversation of its own.
  static let requests = [
    FaultWrite(testDescription: "create") {
      _ = try await $0.createConversation(metadata: longSet, in: .default)
    } change: {
      $0.add(longLine)
    },
    FaultWrite(testDescription: "create once") {
      _ = try await $0.createConversation(
        metadata: metadata(["a": "1"]), in: .default, once: IdempotencyKey("new", request: [])!
      ) { _ in "answer" }
    } change: {
      $0.add("new a=1 once=new")
    },
    FaultWrite(testDescription: "replace") {
      _ = try await $0.changeMetadata(
        of: SampleFile.id(5), in: .default, by: .replace(with: metadata(["a": "1", "color": "c5"])))
    } change: {
      $0.replace("\(SampleFile.id(5))", by: "a=1 color=c5 once=")
      $0.add(#"former \#(SampleFile.id(5)) {"color":"c4","even":"1","parity":"even"}"#)
    },
    FaultWrite(testDescription: "merge") {
      _ = try await $0.changeMetadata(
        of: SampleFile.id(6), in: .default,
        by: .merge(remove: ["color"], set: [Metadata.Pair(key: "a", value: "1")]))
    } change: {
      $0.replace("\(SampleFile.id(6))", by: "a=1 odd=1 parity=odd once=")
      $0.add(#"former \#(SampleFile.id(6)) {"color":"c5","odd":"1","parity":"odd"}"#)
    },
    FaultWrite(testDescription: "create with an item") {
      _ = try await $0.createConversation(
        metadata: metadata(["a": "1"]), items: [item("msg_1")], in: .default)
    } change: {
      $0.add("new a=1 once=")
      $0.add("item new msg_1")
    },
    FaultWrite(testDescription: "append once") {
      _ = try await $0.appendItems(
        [item("msg_1", text: String(repeating: "a", count: 9000)), .reference(id: "msg_known")],
        to: SampleFile.id(5), in: .default, once: IdempotencyKey("new", request: [])!)
    } change: {
      $0.add("item \(SampleFile.id(5)) msg_1")
      $0.add("item \(SampleFile.id(5)) msg_known")
    },
    FaultWrite(testDescription: "delete an item") {
      _ = try await $0.deleteItem("msg_known", of: SampleFile.id(4), in: .default)
    } change: {
      $0.replace("item \(SampleFile.id(4))")
    },
    FaultWrite(testDescription: "make a key") {
      _ = try await $0.createAPIKey(
        NewAPIKey(name: APIKeyName("new"), rights: .readOnly, expiresAt: nil), in: .default)
    } change: {
      $0.add("key new revoked= used=")
    },
    FaultWrite(testDescription: "revoke a key") {
      try await $0.revokeAPIKey(named: "k", in: .default)
    } change: {
      $0.replace("key k", by: "revoked=\(FaultSample.now) used=")
    },
    FaultWrite(testDescription: "delete") {
      try await $0.deleteConversation(SampleFile.id(59), in: .default)
    } change: {
      $0.replace("\(SampleFile.id(59))")
    },
  ]

  static let all =
    requests + [
      FaultWrite(testDescription: "forget old idempotency keys", hasSteps: true) {
        try await $0.forgetOldIdempotencyKeys()
      } change: {
        $0.replace("\(SampleFile.id(2))", by: "color=c1 odd=1 parity=odd once=")
      },
      FaultWrite(testDescription: "forget old metadata", hasSteps: true) {
        try await $0.forgetOldMetadata()
      } change: {
        $0.replace("former \(SampleFile.id(4))")
      },
      FaultWrite(testDescription: "write the uses of keys") {
        #expect(try $0.access(keyHash: APIKey.hash(of: FaultSample.key)) != nil)
        try await $0.writeKeyUses()
      } change: {
        $0.replace("key k", by: "revoked= used=\(FaultSample.now)")
      },
      FaultWrite(testDescription: "probe the disk") {
        try await $0.writes.write { writer throws(RepositoryError) in
          try rethrowing { () throws(SQLiteError) in try writer.touch() }
        }
      } change: { _ in
      },
    ]

  /// Takes several pages.
  private static let longSet = try! Metadata(
    (10..<18).map {
      try Metadata.Pair(key: "k\($0)", value: String(repeating: "\($0)", count: 250))
    })
  private static let longLine =
    "new " + longSet.pairs.map { "\($0.key)=\($0.value)" }.joined(separator: " ") + " once="
}
