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
  /// The id of 32, 32 and 128 bits.
  private func id(_ seconds: UInt32, _ high: UInt32, _ low: UInt128) throws -> ConversationID {
    func digits(_ value: some FixedWidthInteger) -> String {
      let digits = String(value, radix: 16)
      return String(repeating: "0", count: value.bitWidth / 4 - digits.count) + digits
    }
    return try #require(ConversationID("conv_" + digits(seconds) + digits(high) + digits(low)))
  }

  private func next(at seconds: Int64, after previous: ConversationID?) -> ConversationID {
    // Boxed: thread sanitizer looks at the address of a value that has no bytes.
    var generator: any RandomNumberGenerator = SystemRandomNumberGenerator()
    return ConversationID(at: seconds, after: previous, using: &generator)
  }

  @Test(
    arguments: [
      (0, "00000000"), (1, "00000001"), (1_782_518_134, "6a3f1176"), (0x7fff_ffff, "7fffffff"),
      (0xffff_ffff, "ffffffff"), (-1, "00000000"), (.min, "00000000"), (0x1_0000_0000, "ffffffff"),
      (.max, "ffffffff"),
    ] as [(Int64, String)])
  func `an id is conv_, 8 digits of its second and 40 others`(seconds: Int64, first: String) throws
  {
    let id = next(at: seconds, after: nil)
    #expect(id.description.utf8.count == 53)
    #expect(id.description.hasPrefix("conv_" + first))
    #expect(id.createdAt == Int64(first, radix: 16))
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

  @Test func `thousands of ids of one second sort as they were made`() {
    var previous = next(at: 1_782_518_134, after: nil)
    for _ in 0..<5000 {
      let id = next(at: 1_782_518_134, after: previous)
      #expect(previous < id)
      #expect(previous.description.precedes(id.description))
      #expect(id.createdAt == 1_782_518_134)
      previous = id
    }
  }

  @Test func `ids sort as they were made, whatever the clock does`() {
    var previous = next(at: 1000, after: nil)
    for seconds in [1001, 1001, 1000, 999, 0, -5, 1001, 1002, 1000, 5000, 4999] as [Int64] {
      let id = next(at: seconds, after: previous)
      #expect(previous < id)
      #expect(id.createdAt == max(seconds, previous.createdAt))
      previous = id
    }
  }

  @Test func `a new second starts in the lower half, so that there is room above`() {
    for second in 1...500 as ClosedRange<Int64> {
      let digit = next(at: second, after: nil).description.dropFirst(13).first!
      #expect("01234567".contains(digit))
    }
  }

  @Test func `nothing in an id but its second can be guessed`() {
    var seen = [Set<Character>](repeating: [], count: 40)
    var steps = [Set<Character>](repeating: [], count: 32)
    for second in 1...1000 as ClosedRange<Int64> {
      let id = next(at: second, after: nil)
      for (place, digit) in id.description.dropFirst(13).enumerated() { seen[place].insert(digit) }
      let after = next(at: second, after: id)
      for (place, digit) in after.description.dropFirst(21).enumerated() {
        steps[place].insert(digit)
      }
    }
    #expect(seen[0].count == 8)
    #expect(seen.dropFirst().allSatisfy { $0.count == 16 })
    #expect(steps.allSatisfy { $0.count == 16 })
  }

  @Test func `who knows an id does not know the next one`() throws {
    let previous = try id(1, 0, 0)
    var seen = [Set<Character>](repeating: [], count: 32)
    for _ in 0..<1000 {
      let id = next(at: 1, after: previous)
      for (place, digit) in id.description.dropFirst(21).enumerated() { seen[place].insert(digit) }
    }
    #expect(seen.allSatisfy { $0.count == 16 })
  }

  @Test func `a fixed generator makes fixed ids`() throws {
    var ones = FixedGenerator(.max)
    let first = ConversationID(at: 1, after: nil, using: &ones)
    #expect(first == (try id(1, 0x7fff_ffff, .max)))
    var same = FixedGenerator(.max)
    #expect(ConversationID(at: 1, after: nil, using: &same) == first)
  }

  @Test(
    arguments: [
      (0, (1, 1), (1, .max)),
      (1, (1, 2), (2, 0)),
      (.max - 1, (1, .max), (2, .max - 2)),
      (.max, (2, 0), (2, .max - 1)),
    ] as [(UInt128, (UInt32, UInt128), (UInt32, UInt128))])
  func `the smallest and the largest step lead past the previous id`(
    low: UInt128, smallest: (high: UInt32, low: UInt128), largest: (high: UInt32, low: UInt128)
  ) throws {
    let previous = try id(1, 1, low)
    // The words of the number 1, the lower one first, and of the largest number.
    var one = FixedGenerator(1, 0)
    let near = ConversationID(at: 1, after: previous, using: &one)
    #expect(near == (try id(1, smallest.high, smallest.low)))
    var ones = FixedGenerator(.max)
    let far = ConversationID(at: 1, after: previous, using: &ones)
    #expect(far == (try id(1, largest.high, largest.low)))
    #expect(previous < near && near < far)
  }

  @Test(arguments: [-1, 0, 1] as [Int64])
  func `a second that is used up borrows from the next one`(clock: Int64) throws {
    let previous = try id(1, .max, .max)
    let borrowed = next(at: clock, after: previous)
    #expect(previous < borrowed)
    #expect(borrowed.createdAt == 2)
    #expect(borrowed.description.hasPrefix("conv_0000000200000000"))
    let after = next(at: clock, after: borrowed)
    #expect(borrowed < after)
    #expect(after.createdAt == 2)
  }

  @Test func `the last carry within a second keeps the second`() throws {
    let previous = try id(1, .max - 1, .max)
    #expect(next(at: 1, after: previous).description.hasPrefix("conv_00000001ffffffff"))
  }

  @Test func `ids are ordered by all of their digits`() throws {
    let ordered = try [
      id(0, 0, 0), id(0, 0, 9), id(0, 0, 10), id(0, 0, .max), id(0, 1, 0), id(0, .max, .max),
      id(1, 0, 0), id(9, 0, 0), id(10, 0, 0), id(.max, .max, .max),
    ]
    #expect(Array(ordered.reversed()).sorted() == ordered)
    #expect(Set(ordered).count == ordered.count)
    for id in ordered { #expect(!(id < id)) }
  }
}
