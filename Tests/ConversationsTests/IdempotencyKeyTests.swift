import Conversations
import Testing

@Suite struct IdempotencyKeyTests {
  @Test(arguments: [
    "a", "!", "~", "\"quoted\"", "6b8a2f7e-0c1d-4b53-9f41-2f5f1f8ad1f0",
    String(repeating: "k", count: 255),
    String(decoding: (0x21...0x7e) as ClosedRange<UInt8>, as: UTF8.self),
  ])
  func `visible ASCII up to 255 is taken verbatim`(text: String) throws {
    let key = try #require(IdempotencyKey(text, request: []))
    #expect(key.text == text)
  }

  @Test(arguments: [
    "", " ", "a b", " a", "a ", "\t", "a\n", "\u{7F}", "\u{1}", "a\u{0}", "é", "😀", "\u{FF41}",
    String(repeating: "k", count: 256), String(repeating: "k", count: 300),
  ])
  func `every other text is no key`(text: String) {
    #expect(IdempotencyKey(text, request: []) == nil)
  }

  @Test(
    arguments: [
      ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      ("{}", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
    ])
  func `a request is known by the SHA-256 of its bytes`(request: String, hash: String) throws {
    let key = try #require(IdempotencyKey("k", request: Array(request.utf8)))
    #expect(key.requestHash == hash)
  }

  @Test func `requests that mean the same in other bytes are other requests`() throws {
    let keys = ["{}", "{ }", "{}\n", "", "null"].map {
      IdempotencyKey("k", request: Array($0.utf8))?.requestHash
    }
    #expect(Set(keys).count == 5)
    #expect(!keys.contains(nil))
  }
}
