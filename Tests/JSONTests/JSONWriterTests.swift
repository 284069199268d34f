import JSON
import Testing

@Suite struct JSONWriterTests {
  private func written(_ write: (inout JSONWriter) -> Void) -> [UInt8] {
    var writer = JSONWriter()
    write(&writer)
    return writer.bytes
  }

  /// `␀` stands for U+0000.
  @Test(arguments: [
    ("", #""""#), ("a", #""a""#), ("\"", #""\"""#), ("\\", #""\\""#), ("/", #""/""#),
    ("\n", #""\n""#), ("\r", #""\r""#), ("\t", #""\t""#), ("\u{8}", #""\u0008""#),
    ("\u{C}", #""\u000c""#), ("␀", #""\u0000""#), ("\u{1}", #""\u0001""#),
    ("\u{F}", #""\u000f""#), ("\u{10}", #""\u0010""#), ("\u{1F}", #""\u001f""#), (" ", "\" \""),
    ("\u{7F}", "\"\u{7F}\""), ("\u{80}\u{9F}", "\"\u{80}\u{9F}\""),
    ("\u{2028}\u{2029}", "\"\u{2028}\u{2029}\""), ("\u{FEFF}", "\"\u{FEFF}\""),
    ("\u{E9}e\u{301}", "\"\u{E9}e\u{301}\""), ("\u{1F600}", "\"\u{1F600}\""),
    ("\"a\"", #""\"a\"""#), ("a\\\"b\nc\u{1F}d", #""a\\\"b\nc\u001fd""#),
    ("</script>'&", "\"</script>'&\""), ("\r\n", #""\r\n""#), (#"\u0000"#, #""\\u0000""#),
  ])
  func `a string is written with what must be escaped escaped`(text: String, json: String) {
    #expect(written { $0.string(text.replacing("␀", with: "\0")) } == Array(json.utf8))
  }

  @Test(arguments: [0...0x8FF, 0xD700...0xE0FF, 0xFE00...0x100FF, 0x10FF00...0x10FFFF])
  func `code points of every length come back as they were written`(
    range: ClosedRange<UInt32>
  ) throws {
    let scalars = range.compactMap(Unicode.Scalar.init)
    var text = String.UnicodeScalarView()
    text.append(contentsOf: scalars)
    let written = written { $0.string(String(text)) }
    let read = try #require(JSON(parsing: written).string)
    #expect(read.unicodeScalars.elementsEqual(scalars))
  }

  /// `␀` stands for U+0000.
  @Test(arguments: [
    "", "␀", "\"\\/\u{8}\u{C}\n\r\t", "\u{E9}", "e\u{301}", "\u{301}",
    "\u{1F468}\u{200D}\u{1F469}", "\u{FEFF}a\u{FFFF}", "\u{E000}␀\u{F8FF}", #"\u0000\"#,
    " \u{A0} ",
  ])
  func `a key and a value come back as they were written`(shown: String) throws {
    let text = shown.replacing("␀", with: "\0")
    let bytes = written {
      $0.raw("{")
      $0.string(text)
      $0.raw(":[")
      $0.stringOrNull(text)
      $0.raw(",")
      $0.stringOrNull(nil)
      $0.raw("]}")
    }
    let outline = JSON.outline(text)
    #expect(try JSON(parsing: bytes).outline == "{\(outline):[\(outline),null]}")
  }

  @Test func `a string that was cut out of another is written`() {
    let piece = String("abc\"def".dropFirst(2).prefix(3))
    #expect(written { $0.string(piece) } == Array(#""c\"d""#.utf8))
  }

  @Test func `pieces stand one after the other`() {
    let bytes = written {
      $0.raw(#"{"a":"#)
      $0.integer(Int64.min)
      $0.raw(#","b":"#)
      $0.integer(UInt64.max)
      $0.raw(#","c":"#)
      $0.integer(0)
      $0.raw(#","d":"#)
      $0.stringOrNull(nil)
      $0.raw(#","e":"#)
      $0.stringOrNull("")
      $0.raw("}")
    }
    let json = #"{"a":-9223372036854775808,"b":18446744073709551615,"c":0,"d":null,"e":""}"#
    #expect(bytes == Array(json.utf8))
  }

  @Test func `a writer starts empty, whatever room it makes`() {
    #expect(JSONWriter().bytes.isEmpty)
    #expect(JSONWriter(capacity: 0).bytes.isEmpty)
    var writer = JSONWriter(capacity: 0)
    writer.string(String(repeating: "\n", count: 1000))
    #expect(writer.bytes == Array((#"""# + String(repeating: #"\n"#, count: 1000) + #"""#).utf8))
  }
}
