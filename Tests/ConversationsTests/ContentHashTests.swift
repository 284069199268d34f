import Conversations
import Testing

@Suite struct ContentHashTests {
  private static let id = "conv_6a3f11765ab88196bb163daa1e6dc3030eea6ca4e48c1c16"

  private func hash(
    _ keysAndValues: KeyValuePairs<String, String>, id: String = ContentHashTests.id
  ) throws -> ContentHash {
    let pairs = try keysAndValues.map { try Metadata.Pair(key: $0.key, value: $0.value) }
    let id = try #require(ConversationID(id))
    return Conversation(id: id, metadata: try Metadata(pairs)).contentHash
  }

  /// Computed by another program: a change of the form is a change of every client's ETag, and must
  /// come with another `formVersion`.
  @Test func `known contents have known hashes`() throws {
    #expect(try hash([:]).description == "f9e8e595418725a2bb6f323be54dad1d")
    #expect(try hash(["topic": "test"]).description == "cff086915e75072a5f798415fb77dabf")
    let longKey = String(repeating: "😀", count: 64)
    let longValue = String(repeating: "😀", count: 512)
    #expect(
      try hash(["b": "é", "a": "", longKey: longValue]).description
        == "b7e1d976f196c0f32935249ed7d6b07b")
  }

  @Test func `the order in which pairs were sent makes no difference`() throws {
    #expect(try hash(["a": "1", "b": "2"]) == hash(["b": "2", "a": "1"]))
  }

  /// Any two of these differ, though the same letters follow each other in many of them.
  @Test func `no two contents have the same hash`() throws {
    let contents: [KeyValuePairs<String, String>] = [
      [:], ["": ""], ["a": ""], ["": "a"], ["a": "b"], ["b": "a"], ["ab": ""], ["": "ab"],
      ["ab": "c"], ["a": "bc"], ["abc": ""], ["a": "", "b": ""], ["a": "", "b": "c"],
      ["a": "b", "c": ""], ["a": "b", "c": "d"], ["a": "bc", "d": ""], ["a": "b\u{1}c"],
      ["a": "\u{1}b"], ["a": "b", "\u{1}": ""], ["\u{E9}": ""], ["e\u{301}": ""],
      ["": "\u{E9}"], ["": "e\u{301}"],
      ["a": String(repeating: "x", count: 255)], ["a": String(repeating: "x", count: 256)],
    ]
    let hashes = try contents.map { try hash($0) }
    #expect(Set(hashes).count == contents.count)
  }

  @Test func `the same pairs of another conversation have another hash`() throws {
    let other = String(Self.id.dropLast()) + "7"
    #expect(try hash(["a": "1"]) != hash(["a": "1"], id: other))
  }

  @Test(arguments: [
    "f9e8e595418725a2bb6f323be54dad1d", String(repeating: "0", count: 32),
    String(repeating: "f", count: 32), "0000000000000000000000000000000a",
  ])
  func `a hash is read as it is written`(text: String) throws {
    let hash = try #require(ContentHash(text))
    #expect(hash.description == text)
    #expect(ContentHash(Substring(text)) == hash)
  }

  @Test(arguments: [
    "", "f9e8e595418725a2bb6f323be54dad1", "f9e8e595418725a2bb6f323be54dad1dd",
    "F9E8E595418725A2BB6F323BE54DAD1D", "+9e8e595418725a2bb6f323be54dad1d",
    "-0000000000000000000000000000000", " 9e8e595418725a2bb6f323be54dad1d",
    "f9e8e595418725a2bb6f323be54dad1g", "f9e8e595418725a2bb6f323be54dad1/",
    "f9e8e595418725a2bb6f323be54dad1:", "f9e8e595418725a2bb6f323be54dad1`",
    "\"f9e8e595418725a2bb6f323be54dad1", "f9e8e595418725a2bb6f323be54da\u{FF11}",
    "0xe8e595418725a2bb6f323be54dad1d", "f9e8e595418725a2bb6f323be54dad\u{E9}",
  ])
  func `every other form is none`(text: String) {
    #expect(ContentHash(text) == nil)
  }
}
