import JSON
import Testing

/// Numbers of any size are read, and keep their digits.
@Suite struct JSONNumberTests {
  @Test(arguments: [
    "0", "-0", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
    "-9223372036854775809", "18446744073709551615", "18446744073709551616",
    "100000000000000000000000000000000000000000", "-100000000000000000000000000000000000000000",
  ])
  func `an integer of any size is an integer`(number: String) throws {
    let array = try #require(JSON("[ \(number) ,\(number)\n]").elements)
    for value in try [JSON(number)] + array {
      #expect(value.kind == .integer)
      #expect(value.text.elementsEqual(number.utf8))
    }
  }

  @Test(arguments: [
    "0.0", "-0.0", "1.0", "0e0", "0E+1", "1e400", "-1e400", "1E400", "1e+400", "1.5e400",
    "-0.1E+99999", "1e-99999", "9e308", "18446744073709551616.0", "18446744073709551616e0",
    "1e400000000000000000000000", "0.000000000000000000000000000001", "1.10", "1e0010",
  ])
  func `a decimal of any size is a decimal`(number: String) throws {
    let array = try #require(JSON("[ \(number) ,\(number)\n]").elements)
    for value in try [JSON(number)] + array {
      #expect(value.kind == .decimal)
      #expect(value.text.elementsEqual(number.utf8))
    }
  }

  @Test(arguments: [
    "018446744073709551616", "-018446744073709551616", "+18446744073709551616",
    "18446744073709551616.", "18446744073709551616.e1", "18446744073709551616e",
    "1.e400", "1e400.5", "1e400e1", "1e400-1", "1e400+", "1e+-400", "--1e400", "-", "1e400x",
    "01e400", "00", "1e400 1", "1e400true", "1e400\"a\"", "1e400[]", "1-1e400", "tru1e400",
    "18446744073709551616,1", ".1e400", "1e400\\u0000", "\\u0000", "- 1", "1 .0", "1. 0", "1 e1",
    "1e 1", "-.5", "-e1", "e1", "0x1F", "1f", "1d", "1L", "1n", "1_0", "1'0", "\u{661}",
    "\u{FF11}", "1\u{661}", "0b1", "0o7", "-Infinity", "+0", "-NaN", "-true", "1.2.3", "1e1e1",
    "1E+", "0.e1", "-01", "-00", "0e", "0e+", "1/2", "(1)", "1%",
  ])
  func `a malformed number is malformed`(number: String) {
    #expect(error(parsing: number)?.kind == .malformed)
    #expect(error(parsing: "{\"a\":\(number)")?.kind == .malformed)
    #expect(error(parsing: #"{"\u0000":\#(number)}"#)?.kind == .malformed)
    #expect(error(parsing: #"[1e400,{"a":\#(number)}]"#)?.kind == .malformed)
  }
}
