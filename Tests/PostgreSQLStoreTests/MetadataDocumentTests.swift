import Conversations
import Repository
import TestSupport
import Testing

@testable import PostgreSQLStore

/// Sets on their way into a `jsonb` and back.
@Suite struct MetadataDocumentTests {
  private static let pieces: [String] = [
    "a", "b", "é", "e\u{301}", "🐘", "\"", "\\", "/", "\n", "\r", "\t", "\u{8}", "\u{c}", "\u{1}",
    "\u{1f}", "\u{7f}", "\u{2028}", "\u{ffff}", "\u{10ffff}", " ", "{", "}", ",", ":", "\\u0041",
  ]

  private func randomText(_ lengthMax: Int, _ random: inout SeededGenerator) -> String {
    (0..<Int.random(in: 0...lengthMax, using: &random)).map { _ in
      Self.pieces.randomElement(using: &random)!
    }.joined()
  }

  @Test func `whatever a set is, it comes back`() async throws {
    let database = try TestDatabase()
    let store = try database.store()
    var random = SeededGenerator(seed: 5)
    for _ in 0..<100 {
      var pairs: [Metadata.Pair] = []
      for _ in 0..<Int.random(in: 0...16, using: &random) {
        let key = randomText(8, &random)
        if pairs.contains(where: { $0.key.hasSameBytes(as: key) }) { continue }
        pairs.append(try Metadata.Pair(key: key, value: randomText(40, &random)))
      }
      let metadata = try Metadata(pairs)
      let created = try await store.createConversation(metadata: metadata, in: .default)
      let read = try await store.read(created.id)
      #expect(read == metadata)
    }
    #expect(try database.findings().isEmpty)
    await store.close()
  }

  @Test(arguments: [
    "", "[]", "null", #"{"a": 1}"#, #"{"a": "1""#, #"{"a" "1"}"#, #"{"a": "\x"}"#,
    #"{"a": "\u12"}"#,
    #"{"a": "1", "a": "1"}"#, #"{"a": "1"}}"#,
  ])
  func `what is no set is none`(text: String) {
    #expect(Metadata(document: text.utf8Span.span) == nil)
  }

  @Test func `ids are half as long in the database`() throws {
    let text = "conv_6a3f11765ab88196bb163daa1e6dc3030eea6ca4e48c1c16"
    let id = try #require(ConversationID(text))
    #expect(id.bytes.count == 24 && id.bytes.first == 0x6a && id.bytes.last == 0x16)
    #expect(ConversationID(bytes: id.bytes) == id)
    #expect(ConversationID(bytes: [0x6a]) == nil)
    #expect(ConversationID.placeBytes(before: 0x6a3f_1176).lexicographicallyPrecedes(id.bytes))
    #expect(id.bytes.lexicographicallyPrecedes(ConversationID.placeBytes(before: 0x6a3f_1177)))
    #expect(ConversationID.placeBytes(before: -1) == [])
    #expect(id.bytes.lexicographicallyPrecedes(ConversationID.placeBytes(before: .max)))
  }
}
