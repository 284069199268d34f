import Conversations
import Testing

@Suite struct ConversationPlaceTests {
  /// The first and the last id of a second.
  private func ids(_ second: Int64) -> [String] {
    let digits = String(second, radix: 16)
    let prefix = "conv_" + String(repeating: "0", count: 8 - digits.count) + digits
    return ["0", "f"].map { prefix + String(repeating: $0, count: 40) }
  }

  @Test(arguments: [0, 1, 9, 10, 255, 256, 1_782_518_134, 0x7fff_ffff, 0xffff_ffff] as [Int64])
  func `the place before a second is between its ids and those of the second before`(
    second: Int64
  ) {
    let place = ConversationID.place(before: second)
    for id in ids(second) { #expect(place.precedes(id)) }
    if second > 0 {
      for id in ids(second - 1) { #expect(id.precedes(place)) }
    }
    if second < 0xffff_ffff {
      for id in ids(second + 1) { #expect(place.precedes(id)) }
    }
  }

  @Test(arguments: [-1, -1_782_518_134, .min] as [Int64])
  func `the place before a time before 1970 is before all ids`(second: Int64) {
    for id in ids(0) { #expect(ConversationID.place(before: second).precedes(id)) }
  }

  @Test(arguments: [0x1_0000_0000, 99_999_999_999, .max] as [Int64])
  func `the place before a time that no id can have is after all ids`(second: Int64) {
    for id in ids(0xffff_ffff) { #expect(id.precedes(ConversationID.place(before: second))) }
  }

  @Test(arguments: [.min, -1, 0, 1_782_518_134, 0xffff_ffff, 0x1_0000_0000, .max] as [Int64])
  func `a place is no id`(second: Int64) {
    #expect(ConversationID(ConversationID.place(before: second)) == nil)
  }
}
