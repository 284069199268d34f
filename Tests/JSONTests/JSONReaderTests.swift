import JSON
import Testing

@Suite struct JSONReaderTests {
  @Test(arguments: [
    ("null", "null"), ("true", "true"), ("false", "false"), ("0", "#"), ("-0", "#"), ("12", "#"),
    ("-12", "#"), ("0.0", "#.#"), ("1.5", "#.#"), ("1e2", "#.#"), ("1E2", "#.#"), ("1e+2", "#.#"),
    ("-1.5E-2", "#.#"), ("0e0", "#.#"), ("1e-400", "#.#"), (#""""#, "''"), (#""a""#, "'a'"),
    ("[]", "[]"), ("{}", "{}"), (" \t\r\n[ 1 , 2.0 ]\n ", "[#,#.#]"),
    (#"{"b":{"z":null,"a":[true,{}]},"a":"b"}"#, "{'b':{'z':null,'a':[true,{}]},'a':'b'}"),
    (#"{"":""}"#, "{'':''}"),
  ])
  func `a text is read, members in the order sent`(text: String, outline: String) throws {
    #expect(try JSON(text).outline == outline)
  }

  @Test(arguments: [
    (#""\"\\\/\b\f\n\r\t""#, "'<22><5c><2f><8><c><a><d><9>'"),
    (#""\u0041\u00e9\uD83D\ude00\uffff\u007f""#, "'A<e9><1f600><ffff><7f>'"),
    ("\"\u{E9}\u{1F600}\u{FEFF}\"", "'<e9><1f600><feff>'"),
    ("\"\u{2028}\u{7F}\u{10FFFF}\"", "'<2028><7f><10ffff>'"),
    ("\"e\u{301}\"", "'e<301>'"), (#""e\u0301""#, "'e<301>'"),
    ("\"\u{E000}\u{F8FF}\"", "'<e000><f8ff>'"), (#""\ue000\uf8ff""#, "'<e000><f8ff>'"),
    (#""\u0000""#, "'<0>'"), (#""a\u0000b\u0000""#, "'a<0>b<0>'"),
    (#""\\u0000""#, "'<5c>u<30><30><30><30>'"),
  ])
  func `a string is kept as it was sent`(text: String, outline: String) throws {
    #expect(try JSON(text).outline == outline)
    #expect(try JSON("{\(text):[\(text)]}").outline == "{\(outline):[\(outline)]}")
  }

  @Test(arguments: [
    "", " ", "\n", "{", "}", "[", "]", "\"", "\"a", "{\"a\"", "{\"a\":", "{\"a\":1", "[1", "[1,",
    "{\"a\":1,}", "[1,]", "[,1]", "[1 2]", "{,}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{a:1}",
    "{'a':1}", "{1:1}", "{null:1}", "nul", "True", "NULL", "undefined", "NaN", "Infinity",
    "-Infinity", "+1", "01", "-01", "-", ".5", "1.", "1.e5", "1e", "1e+", "--1", "0x10", "1_000",
    "1,000", "1e5.5", "'a'", "// a\n1", "/* a */1", "1 // a", "#", "\u{A0}1", "1\u{2028}",
    "\"\n\"", "\"\t\"", "\"\u{1}\"", "\"\u{1F}\"",
    #""\x41""#, #""\u""#, #""\u12""#, #""\u12g4""#, #""\u+041""#, #""\U0041""#, #""\'""#, #""\"#,
    #""\0""#, #""\v""#,
  ])
  func `what is not JSON is malformed`(text: String) {
    #expect(error(parsing: text)?.kind == .malformed)
  }

  /// `␀` stands for the byte.
  @Test(arguments: [
    "␀", "1␀", "1␀␀", "1␀2", "1.5␀", "1e400␀", "true␀", "null␀", "\"a\"␀", "{}␀", "␀{}",
    "[1␀]", "[1␀,2]", "[␀]", "[true␀]", "{\"a\":1␀}", "{\"a\":null␀}", "{\"a\"␀:1}",
    "\"␀\"", "\"a␀b\"", "{\"␀\":1}",
  ])
  func `a byte of 0 is malformed, wherever it stands`(text: String) {
    let bytes = Array(text.replacing("␀", with: "\0").utf8)
    #expect(error(parsing: bytes)?.kind == .malformed)
  }

  @Test(arguments: [
    "{} {}", "{}{}", "{},", "{}]", "{} x", "null null", "1 2", "[]\"\"", "\"a\"b", "{}\u{FEFF}",
    "{}\n\n1", "true1",
  ])
  func `what follows a text is malformed`(text: String) {
    #expect(error(parsing: text)?.kind == .malformed)
  }

  @Test(arguments: ["\u{FEFF}{}", "\u{FEFF}", "\u{FEFF}\"\u{FEFF}\"", " \u{FEFF}1"])
  func `a byte order mark is malformed`(text: String) {
    #expect(error(parsing: text)?.kind == .malformed)
  }

  @Test(arguments: [
    #"\ud800"#, #"\udbff"#, #"\udc00"#, #"\udfff"#, #"\ud800\ud800"#, #"\udc00\ud800"#, #"\ud800a"#,
    #"\ud83d\u0041"#, #"\ud83d\\ude00"#, #"\ud83d ude00"#, #"a\ud83d\ude00\ud83d"#,
    #"\ud83d\u0000"#, #"\u0000\ud83d"#, #"\ud83d\ue000"#,
  ])
  func `a lone surrogate is malformed`(escapes: String) {
    #expect(error(parsing: #"["\#(escapes)"]"#)?.kind == .malformed)
    #expect(error(parsing: #"{"\#(escapes)":1}"#)?.kind == .malformed)
    #expect(error(parsing: #"[1e400,"\#(escapes)"]"#)?.kind == .malformed)
  }

  @Test(
    arguments: [
      [0x80], [0xBF], [0xC3], [0xC3, 0x28], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80],
      [0xE2, 0x82], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80],
      [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x9F, 0x98], [0xF4, 0x90, 0x80, 0x80],
      [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFE], [0xFF],
    ] as [[UInt8]])
  func `bytes that are not UTF-8 are told apart`(bad: [UInt8]) {
    func text(_ before: String, _ after: String) -> [UInt8] {
      Array(before.utf8) + bad + Array(after.utf8)
    }
    #expect(error(parsing: text("\"", "\""))?.kind == .notUTF8)
    #expect(error(parsing: text("{\"a", "\":1}"))?.kind == .notUTF8)
    #expect(error(parsing: text("[1,", "]"))?.kind == .notUTF8)
    #expect(error(parsing: text("[1e400,\"", "\"]"))?.kind == .notUTF8)
    #expect(error(parsing: text(#"{"\u0000":""#, "\"}"))?.kind == .notUTF8)
    #expect(error(parsing: text("{} ", ""))?.kind == .notUTF8)
  }

  @Test func `UTF-16 is refused, with and without a byte order mark`() {
    let units = Array(#"{"a":"b"}"#.utf16)
    let little = units.flatMap { [UInt8($0 & 0xff), UInt8($0 >> 8)] }
    let big = units.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xff)] }
    #expect(error(parsing: little)?.kind == .malformed)
    #expect(error(parsing: big)?.kind == .malformed)
    #expect(error(parsing: [0xFF, 0xFE] + little)?.kind == .notUTF8)
    #expect(error(parsing: [0xFE, 0xFF] + big)?.kind == .notUTF8)
  }

  @Test(arguments: [
    #"{"a":1,"a":1}"#, #"{"a":1,"b":2,"a":3}"#, #"{"":1,"":2}"#, #"{"a":1,"\u0061":2}"#,
    #"[{"b":{"a":1,"a":2}}]"#, "{\"\u{E9}\":1,\"\\u00e9\":2}", #"{"😀":1,"\ud83d\ude00":2}"#,
    #"{"a":{},"a":null}"#, #"{"\u0000":1,"\u0000":2}"#, #"{"x":1e400,"x":2}"#,
    #"{"a\u0000b":1,"c":2,"a\u0000b":2}"#,
  ])
  func `a key twice in one object is told apart`(text: String) {
    #expect(error(parsing: text)?.kind == .duplicateKey)
  }

  @Test(arguments: [
    ("{\"\u{E9}\":1,\"e\u{301}\":2}", "{'<e9>':#,'e<301>':#}"),
    (#"{"\u00e9":1,"e\u0301":2}"#, "{'<e9>':#,'e<301>':#}"),
    ("{\"\u{C5}\":1,\"\u{212B}\":2,\"A\u{30A}\":3}", "{'<c5>':#,'<212b>':#,'A<30a>':#}"),
    (#"{"a":1,"A":2," a":3}"#, "{'a':#,'A':#,'<20>a':#}"),
    (#"{"a":{"a":{"a":1}}}"#, "{'a':{'a':{'a':#}}}"), (#"[{"a":1},{"a":2}]"#, "[{'a':#},{'a':#}]"),
    (#"{"a":1,"a\u0000":2,"\u0000a":3}"#, "{'a':#,'a<0>':#,'<0>a':#}"),
  ])
  func `keys that only look the same are different`(text: String, outline: String) throws {
    #expect(try JSON(text).outline == outline)
  }

  @Test(arguments: [8, 9, 10, 1000])
  func `a key twice is noticed among any number of them`(count: Int) throws {
    let keys = (0..<count).map { #""a\u00e9\#($0)":\#($0)"# }
    #expect(try JSON("{" + keys.joined(separator: ",") + "}").members?.count == count)
    for twice in [0, count / 2, count - 1] {
      let again = keys + ["\"a\u{E9}\(twice)\":0", "x"]
      #expect(error(parsing: "{" + again.joined(separator: ",") + "}")?.kind == .duplicateKey)
    }
  }

  private static let nestings = [("[", "]", "1"), (#"{"a":"#, "}", "null"), (#"[{"":"#, "}]", "1")]

  @Test(arguments: nestings)
  func `64 arrays and objects inside each other are read`(
    open: String, close: String, innermost: String
  ) {
    let count = 64 / close.count
    let text =
      String(repeating: open, count: count) + innermost + String(repeating: close, count: count)
    #expect(error(parsing: text) == nil)
  }

  @Test(arguments: nestings, [65, 66, 128, 2047, 2048, 2049, 10_000])
  func `more than 64 are too deep`(
    nesting: (open: String, close: String, innermost: String), depth: Int
  ) {
    let count = (depth + 1) / nesting.close.count
    let text =
      String(repeating: nesting.open, count: count) + nesting.innermost
      + String(repeating: nesting.close, count: count)
    #expect(error(parsing: text) == .tooDeep(depthMax: 64))
  }

  @Test(arguments: [
    ("[]", true), ("{}", true), ("[1]", true), (#""[[""#, true), ("[[]]", false), ("[{}]", false),
    (#"{"a":[]}"#, false), ("[1,2,{}]", false),
  ])
  func `an empty array or object is a level, a value is none`(innermost: String, isRead: Bool) {
    let opened = String(repeating: "[", count: 63)
    let closed = String(repeating: "]", count: 63)
    let expected: JSONError? = isRead ? nil : .tooDeep(depthMax: 64)
    #expect(error(parsing: opened + innermost + closed) == expected)
  }

  @Test func `siblings are not levels`() throws {
    let text = "[" + String(repeating: #"[[1],{"a":{}}],"#, count: 5000) + "1]"
    #expect(try JSON(text).elements?.count == 5001)
  }
}
