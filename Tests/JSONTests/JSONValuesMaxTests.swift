import JSON
import Testing

/// The `,` `:` `[` `{` outside strings of a text are counted: few bytes must not fill much memory.
@Suite(.timeLimit(.minutes(1))) struct JSONValuesMaxTests {
  private static let most = 262_144

  /// An array of one unit again and again. With the comma or bracket before it, each counts `each`.
  @Test(arguments: [
    ("0", 1), (#"",:[{\"""#, 1), ("[]", 2), (" { } ", 2), ("[[[]]]", 4), (#"{"a":[]}"#, 4),
  ])
  func `a text may count 262144, and no more`(unit: String, each: Int) {
    let units = repeatElement(unit, count: Self.most / each).joined(separator: ",")
    #expect(error(parsing: "[\(units)]") == nil)
    #expect(error(parsing: "[\(units),0]") == .tooManyValues(valuesMax: Self.most))
  }

  @Test(arguments: ["[],", "0,", "{},", #"{"a":0},"#])
  func `16 MiB of values end with an error`(unit: String) {
    let text = "[" + String(repeating: unit, count: (16 << 20) / unit.utf8.count)
    #expect(error(parsing: text) == .tooManyValues(valuesMax: Self.most))
  }
}
