import Conversations
import Testing

/// Something to repeat, and how many code points one of it has.
struct Unit: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let text: String
  let codePointCount: Int

  init(_ name: String, _ text: String, _ codePointCount: Int) {
    testDescription = name
    self.text = text
    self.codePointCount = codePointCount
  }

  static let all = [
    Unit("1 byte", "k", 1),
    Unit("2 bytes", "\u{E9}", 1),
    Unit("3 bytes", "\u{6F22}", 1),
    Unit("4 bytes, 2 in UTF-16", "\u{1F600}", 1),
    Unit("the last code point", "\u{10FFFF}", 1),
    Unit("é as two", "e\u{301}", 2),
    Unit("a line end, one grapheme", "\r\n", 2),
    Unit("a flag", "\u{1F1E9}\u{1F1EA}", 2),
    Unit("a combining mark alone", "\u{301}", 1),
    Unit("a hand with its skin tone", "\u{1F44B}\u{1F3FD}", 2),
    Unit("a family of four", "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}\u{200D}\u{1F466}", 7),
  ]

  /// A text of exactly so many code points: whole units, then ASCII.
  func text(codePointCount count: Int) -> String {
    let (whole, rest) = count.quotientAndRemainder(dividingBy: codePointCount)
    return String(repeating: text, count: whole) + String(repeating: "x", count: rest)
  }
}

@Suite struct MetadataPairTests {
  @Test(arguments: Unit.all, [0, 1, 63, 64])
  func `a key has up to 64 code points`(unit: Unit, length: Int) throws {
    let key = unit.text(codePointCount: length)
    let pair = try Metadata.Pair(key: key, value: "v")
    #expect(Array(pair.key.utf8) == Array(key.utf8))
  }

  @Test(arguments: Unit.all, [65, 66, 128, 5000])
  func `a longer key is refused, and its length counted in code points`(
    unit: Unit, length: Int
  ) {
    let key = unit.text(codePointCount: length)
    #expect(throws: MetadataError.keyTooLong(key: key, length: length)) {
      try Metadata.Pair(key: key, value: "v")
    }
  }

  @Test(arguments: Unit.all, [0, 1, 511, 512])
  func `a value has up to 512 code points`(unit: Unit, length: Int) throws {
    let value = unit.text(codePointCount: length)
    let pair = try Metadata.Pair(key: "k", value: value)
    #expect(Array(pair.value.utf8) == Array(value.utf8))
  }

  @Test(arguments: Unit.all, [513, 514, 1024, 5000])
  func `a longer value is refused, and its length counted in code points`(
    unit: Unit, length: Int
  ) {
    #expect(throws: MetadataError.valueTooLong(key: "k", length: length)) {
      try Metadata.Pair(key: "k", value: unit.text(codePointCount: length))
    }
  }

  @Test func `an empty key and an empty value are legal`() throws {
    let pair = try Metadata.Pair(key: "", value: "")
    #expect(pair.key.isEmpty && pair.value.isEmpty)
  }

  @Test(arguments: [
    " ", "  a  ", "\t\n\r", "\u{1}\u{1F}\u{7F}\u{85}", "\u{FEFF}a", "\u{FFFD}", "\u{FFFE}\u{FFFF}",
    "\u{E000}", "\u{2028}\u{200B}", "\u{1E9B}\u{323}", "\u{FB01}", "\u{202E}abc", "a/b\\c\"d'",
  ])
  func `a text is kept as it was sent`(text: String) throws {
    let pair = try Metadata.Pair(key: text, value: text)
    #expect(Array(pair.key.utf8) == Array(text.utf8))
    #expect(Array(pair.value.utf8) == Array(text.utf8))
  }

  /// `␀` stands for it.
  @Test(arguments: ["␀", "␀a", "a␀", "a␀b", "␀\u{301}", "\u{1F600}␀"])
  func `U+0000 is refused, wherever it stands`(shown: String) {
    let text = String(String.UnicodeScalarView(shown.unicodeScalars.map { $0 == "␀" ? "\0" : $0 }))
    #expect(throws: MetadataError.keyContainsNUL(key: text)) {
      try Metadata.Pair(key: text, value: "v")
    }
    #expect(throws: MetadataError.valueContainsNUL(key: "k")) {
      try Metadata.Pair(key: "k", value: text)
    }
  }

  @Test func `the key's fault comes before the value's, and length before U+0000`() {
    let longKey = String(repeating: "\0", count: 65)
    let longValue = String(repeating: "\0", count: 513)
    #expect(throws: MetadataError.keyTooLong(key: longKey, length: 65)) {
      try Metadata.Pair(key: longKey, value: longValue)
    }
    #expect(throws: MetadataError.keyContainsNUL(key: "\0")) {
      try Metadata.Pair(key: "\0", value: longValue)
    }
    #expect(throws: MetadataError.valueTooLong(key: "k", length: 513)) {
      try Metadata.Pair(key: "k", value: longValue)
    }
  }

  @Test func `the limits are those of the contract`() {
    #expect(Metadata.pairsMax == 16)
    #expect(Metadata.keyLengthMax == 64)
    #expect(Metadata.valueLengthMax == 512)
  }
}
