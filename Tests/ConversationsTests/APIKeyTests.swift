import Conversations
import Testing

@Suite struct APIKeyTests {
  private func keys(_ count: Int) -> [APIKey] {
    // Boxed: thread sanitizer looks at the address of a value that has no bytes.
    var random: any RandomNumberGenerator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in APIKey(using: &random) }
  }

  @Test func `a key is sk- and 43 characters of base64url`() {
    for key in keys(1000) {
      #expect(key.text.wholeMatch(of: /sk-[A-Za-z0-9_-]{43}/) != nil)
    }
  }

  /// A digit of the 64 is missing at one of the places about once in 10 billion runs.
  @Test func `no key comes twice, and each digit comes at each place`() {
    let keys = keys(2000)
    #expect(Set(keys.map(\.text)).count == keys.count)
    for place in 0..<43 {
      #expect(Set(keys.map { Array($0.text.utf8)[3 + place] }).count == 64, "place \(place)")
    }
  }

  /// 64 digits are 6 bits each: fewer than 43 of them would be fewer than 256 bits.
  @Test func `all of a key is taken from its generator`() {
    var generator = CountingGenerator()
    _ = APIKey(using: &generator)
    #expect(generator.count >= 43)
  }

  @Test func `the first characters are too few to tell anything of the rest`() {
    for key in keys(10) {
      #expect(key.firstCharacters.utf8.elementsEqual(key.text.utf8.prefix(7)))
    }
  }

  /// Computed by another program: another hash would lock out all keys that there are.
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ("é😀", "1184d1f608158eea09d297565575892231550c403aaa913008d867a97cfd5c76"),
    (
      "sk-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
      "d40a82f736e89291055c8dcbddec74ad06f26425073957cce3a31c553758e683"
    ),
  ])
  func `known texts have known hashes`(text: String, hash: String) {
    #expect(APIKey.hash(of: text) == hash)
  }

  /// Swift's `==` takes the two for one text.
  @Test func `texts of other bytes have other hashes`() {
    #expect(APIKey.hash(of: "\u{E9}") != APIKey.hash(of: "e\u{301}"))
  }
}

private struct CountingGenerator: RandomNumberGenerator {
  private(set) var count = 0

  mutating func next() -> UInt64 {
    count += 1
    return UInt64(count) &* 0x9e37_79b9_7f4a_7c15
  }
}
