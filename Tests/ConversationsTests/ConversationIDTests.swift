import Conversations
import Testing

/// Answers the words that it was given, again and again.
private struct FixedGenerator: RandomNumberGenerator {
  let words: [UInt64]
  private var count = 0

  init(_ words: UInt64...) {
    self.words = words
  }

  mutating func next() -> UInt64 {
    defer { count += 1 }
    return words[count % words.count]
  }
}

@Suite struct ConversationIDTests {
  /// The id of 64 and 128 bits.
  private func id(_ place: UInt64, _ random: UInt128) throws -> ConversationID {
    func digits(_ value: some FixedWidthInteger) -> String {
      let digits = String(value, radix: 16)
      return String(repeating: "0", count: value.bitWidth / 4 - digits.count) + digits
    }
    return try #require(ConversationID("conv_" + digits(place) + digits(random)))
  }

  private func next(at microseconds: Int64, after previous: ConversationID?) -> ConversationID {
    // Boxed: thread sanitizer looks at the address of a value that has no bytes.
    var generator: any RandomNumberGenerator = SystemRandomNumberGenerator()
    return ConversationID(atMicroseconds: microseconds, after: previous, using: &generator)
  }

  @Test(
    arguments: [
      (0, "0000000000000000"), (1, "0000000000001000"), (1_000_000, "0000000100000000"),
      (1_782_518_134_371_593, "6a3f11765ab89000"), (1_999_999, "00000001f423f000"),
      (-1, "0000000000000000"),
      (.min, "0000000000000000"), (4_294_967_295_999_999, "fffffffff423f000"),
      (4_294_967_296_000_000, "fffffffff423f000"), (.max, "fffffffff423f000"),
    ] as [(Int64, String)])
  func `an id is conv_, its second, its microsecond, a sequence and 32 others`(
    microseconds: Int64, first: String
  ) throws {
    let id = next(at: microseconds, after: nil)
    #expect(id.description.utf8.count == 53)
    #expect(id.description.hasPrefix("conv_" + first))
    #expect(id.createdAt == Int64(first.prefix(8), radix: 16))
    #expect(id.createdAtMicroseconds == min(max(microseconds, 0), 4_294_967_295_999_999))
    #expect(ConversationID(id.description) == id)
  }

  @Test func `an id that was stored is read again`() throws {
    let text = "conv_6a3f11765ab88196bb163daa1e6dc3030eea6ca4e48c1c16"
    let id = try #require(ConversationID(text))
    #expect(id.description == text)
    #expect(id.createdAt == 1_782_518_134)
    #expect(Conversation(id: id, metadata: .empty).createdAt == 1_782_518_134)
  }

  @Test(arguments: [
    "", "conv_", "conv", "6a3f11765ab88196bb163daa1e6dc3030eea6ca4e48c1c16",
    "conv_6a3f11765ab88196bb163daa1e6dc3030eea6ca4e48c1c1",
    "conv_6a3f11765ab88196bb163daa1e6dc3030eea6ca4e48c1c166",
    "conv_6A3F11765AB88196BB163DAA1E6DC3030EEA6CA4E48C1C16",
    "CONV_6a3f11765ab88196bb163daa1e6dc3030eea6ca4e48c1c16",
    "conv-6a3f11765ab88196bb163daa1e6dc3030eea6ca4e48c1c16",
    "resp_6a3f11765ab88196bb163daa1e6dc3030eea6ca4e48c1c16",
    "conv_6a3f11765ab88196bb163daa1e6dc3030eea6ca4e48c1c1g",
    "conv_6a3f11765ab88196bb163daa1e6dc3030eea6ca4e48c1c1/",
    "conv_6a3f11765ab88196bb163daa1e6dc3030eea6ca4e48c1c1:",
    "conv_6a3f11765ab88196bb163daa1e6dc3030eea6ca4e48c1c1`",
    "conv_+a3f11765ab88196bb163daa1e6dc3030eea6ca4e48c1c16",
    "conv_6a3f1176+ab88196bb163daa1e6dc3030eea6ca4e48c1c16",
    " conv_6a3f11765ab88196bb163daa1e6dc3030eea6ca4e48c1c16",
    "conv_6a3f11765ab88196bb163daa1e6dc3030eea6ca4e48c1c16\n",
    "conv_6a3f11765ab88196bb163daa1e6dc3030eea6ca4e48c1c1\u{1}",
    "conv_6a3f11765ab88196bb163daa1e6dc3030eea6ca4e48c1c16\u{301}",
    "conv_6a3f11765ab88196bb163daa1e6dc3030eea6ca4e48c1c\u{E9}",
    "conv_6a3f11765ab88196bb163daa1e6dc3030eea6ca4e48c1\u{FF11}",
  ])
  func `every other form is none`(text: String) {
    #expect(ConversationID(text) == nil)
  }

  @Test func `the ids of one microsecond are counted`() throws {
    var previous = next(at: 1_782_518_134_371_593, after: nil)
    for count in 1...5000 {
      let id = next(at: 1_782_518_134_371_593, after: previous)
      #expect(previous < id)
      #expect(previous.description.precedes(id.description))
      #expect(id.description.hasPrefix("conv_" + String(0x6a3f_1176_5ab8_9000 + count, radix: 16)))
      previous = id
    }
  }

  @Test func `ids sort as they were made, whatever the clock does`() {
    var previous = next(at: 1000, after: nil)
    for microseconds in [1001, 1001, 1000, 999, 0, -5, 1001, 1002, 1000, 5000, 4999] as [Int64] {
      let id = next(at: microseconds, after: previous)
      #expect(previous < id)
      #expect(id.createdAtMicroseconds == max(microseconds, previous.createdAtMicroseconds))
      previous = id
    }
  }

  /// So nobody learns from two ids how many were made between them.
  @Test func `what was made before leaves no trace once the clock has gone on`() {
    let alone = next(at: 2000, after: next(at: 1000, after: nil))
    var previous = next(at: 1000, after: nil)
    for _ in 1...100 { previous = next(at: 1000, after: previous) }
    let afterMany = next(at: 2000, after: previous)
    #expect(alone.description.prefix(21) == afterMany.description.prefix(21))
  }

  @Test func `32 digits cannot be guessed, also by who knows the id before`() {
    var seen = [Set<Character>](repeating: [], count: 32)
    var previous: ConversationID?
    for _ in 1...1000 {
      let id = next(at: 1, after: previous)
      for (place, digit) in id.description.dropFirst(21).enumerated() { seen[place].insert(digit) }
      previous = id
    }
    #expect(seen.allSatisfy { $0.count == 16 })
  }

  @Test func `a fixed generator makes fixed ids`() throws {
    var ones = FixedGenerator(.max)
    let first = ConversationID(atMicroseconds: 1_000_001, after: nil, using: &ones)
    #expect(first == (try id(1 << 32 | 1 << 12, .max)))
    let second = ConversationID(atMicroseconds: 1_000_001, after: first, using: &ones)
    #expect(second == (try id(1 << 32 | 1 << 12 | 1, .max)))
  }

  /// The digits of an older format say nothing of the microsecond, and a carry may reach the second.
  @Test(
    arguments: [
      (0x0000_0001_ffff_ffff, 0x0000_0002_0000_0000, 2),
      (0x0000_0001_7fff_ffff, 0x0000_0001_8000_0000, 1),
      (0x0000_0001_f423_ffff, 0x0000_0001_f424_0000, 1),
      (0x0000_0001_0000_0fff, 0x0000_0001_0000_1000, 1),
    ] as [(UInt64, UInt64, Int64)])
  func `the next id follows any other, and a carry moves its time on`(
    previous: UInt64, expected: UInt64, createdAt: Int64
  ) throws {
    var ones = FixedGenerator(.max)
    let older = try id(previous, .max)
    let next = ConversationID(atMicroseconds: 5, after: older, using: &ones)
    #expect(next == (try id(expected, .max)))
    #expect(older < next)
    #expect(next.createdAt == createdAt)
    #expect(older.createdAtMicroseconds <= 1_999_999)
  }

  @Test func `ids are ordered by all of their digits`() throws {
    let ordered = try [
      id(0, 0), id(0, 9), id(0, 10), id(0, .max), id(1, 0), id(0xffff_ffff, .max),
      id(1 << 32, 0), id(9 << 32, 0), id(10 << 32, 0), id(.max, .max),
    ]
    #expect(Array(ordered.reversed()).sorted() == ordered)
    #expect(Set(ordered).count == ordered.count)
    for id in ordered { #expect(!(id < id)) }
  }
}
