import JSON
import Testing

/// What libjansson cannot hold but RFC 8259 allows, read all the same.
@Suite struct RewrittenJSONTests {
  @Test(arguments: [
    (#"{"\u0000":1}"#, "{'<0>':#}"),
    (#"{"a\u0000":1,"\u0000a":2,"\u0000\u0000":3}"#, "{'a<0>':#,'<0>a':#,'<0><0>':#}"),
    (#"{"a":{"b\u0000c":"d"}}"#, "{'a':{'b<0>c':'d'}}"),
    (#"[[{"x":[{"\u0000":{}}]}]]"#, "[[{'x':[{'<0>':{}}]}]]"),
    (#"{"\u0000":"\u0000","a":["\u0000b"]}"#, "{'<0>':'<0>','a':['<0>b']}"),
    (#"{"é\u0000😀\u0000\ud83d\ude00":1}"#, "{'<e9><0><1f600><0><1f600>':#}"),
    (#"{"\u0000\u00e9\u0001":1}"#, "{'<0><e9><1>':#}"),
    (#"{"\u0000":1.0,"b":-1,"c":1e5,"d":true}"#, "{'<0>':#.#,'b':#,'c':#.#,'d':true}"),
  ])
  func `U+0000 is read in a key`(text: String, outline: String) throws {
    #expect(try JSON(text).outline == outline)
  }

  @Test(arguments: [
    (#"\\u0000"#, "<5c>u<30><30><30><30>"),
    (#"\\\u0000"#, "<5c><0>"),
    (#"\\\\u0000"#, "<5c><5c>u<30><30><30><30>"),
    (#"\\\\\u0000"#, "<5c><5c><0>"),
    (#"\u00000"#, "<0><30>"),
    (#"\"\u0000\""#, "<22><0><22>"),
    (#"\u005cu0000"#, "<5c>u<30><30><30><30>"),
    (#"u0000"#, "u<30><30><30><30>"),
    (#"\\ue000\u0000"#, "<5c>ue<30><30><30><0>"),
    (#"-1e400"#, "<2d><31>e<34><30><30>"),
    (#"\"1e400"#, "<22><31>e<34><30><30>"),
    (#"\\\"12e400,"#, "<5c><22><31><32>e<34><30><30><2c>"),
  ])
  func `nothing but U+0000 becomes U+0000`(text: String, outline: String) throws {
    // The other member makes the reader rewrite the text.
    for other in [#""\u0000":1"#, #""x":1e400"#] {
      let read = try JSON(#"{\#(other),"\#(text)":"\#(text)"}"#).outline
      #expect(read.hasSuffix(",'\(outline)':'\(outline)'}"))
    }
  }

  @Test(arguments: [
    ("\u{E000}", "<e000>"), (#"\ue000"#, "<e000>"), (#"\uE000"#, "<e000>"),
    ("\u{E000}\u{E001}\u{E003}", "<e000><e001><e003>"),
    (#"\ue000\uE001\ue002"#, "<e000><e001><e002>"), ("\u{E000}\\ue001", "<e000><e001>"),
    ("\u{F8FF}\u{E001}", "<f8ff><e001>"), ("\u{F0000}\u{10FFFD}", "<f0000><10fffd>"),
    (#"\udb80\udc00"#, "<f0000>"),
  ])
  func `private-use characters of the text stay themselves`(text: String, outline: String) throws {
    let value = try JSON(#"{"\#(text)":"\#(text)\u0000","\u0000":"\#(text)"}"#)
    #expect(value.outline == "{'\(outline)':'\(outline)<0>','<0>':'\(outline)'}")
  }

  private static let privateUse: ClosedRange<UInt32> = 0xE000...0xF8FF

  @Test(arguments: [true, false])
  func `one free private-use character is enough`(isEscaped: Bool) throws {
    for free in [0xE000, 0xE001, 0xEC00, 0xF8FE, 0xF8FF] as [UInt32] {
      let taken = Self.privateUse.filter { $0 != free }
      let text = taken.map {
        isEscaped ? #"\u"# + String($0, radix: 16) : String(Character(Unicode.Scalar($0)!))
      }.joined()
      guard case .object(let members) = try JSON(#"{"a\u0000":"\#(text)"}"#),
        case .string(let value) = members[0].value
      else {
        Issue.record("not an object with a string")
        return
      }
      #expect(Array(members[0].key.utf8) == [0x61, 0])
      #expect(value.unicodeScalars.map(\.value) == taken)
    }
  }

  @Test func `a text of all private-use characters and U+0000 in a key is refused`() {
    let all = Self.privateUse.map { String(Character(Unicode.Scalar($0)!)) }.joined()
    #expect(error(parsing: #"{"\#(all)":"\u0000"}"#) == nil)
    #expect(error(parsing: #"{"\#(all)":1,"\u0000":2}"#)?.kind == .malformed)
  }

  @Test(arguments: [
    "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
    "18446744073709551615", "18446744073709551616", "100000000000000000000000000000000000000000",
    "-100000000000000000000000000000000000000000",
  ])
  func `an integer of any size is an integer`(number: String) throws {
    #expect(try JSON(number).outline == "#")
    #expect(try JSON("[\(number),\(number)]").outline == "[#,#]")
    #expect(
      try JSON(#"{"a":\#(number) ,"b":{"\u0000":\#(number)}}"#).outline
        == "{'a':#,'b':{'<0>':#}}")
  }

  @Test(arguments: [
    "1e400", "-1e400", "1E400", "1e+400", "1.5e400", "-0.1E+99999", "1e-99999", "9e308",
    "18446744073709551616.0", "18446744073709551616e0", "1e400000000000000000000000",
  ])
  func `a decimal of any size is a decimal`(number: String) throws {
    #expect(try JSON(number).outline == "#.#")
    #expect(try JSON("[\(number),\(number)]").outline == "[#.#,#.#]")
    #expect(
      try JSON(#"{"a":\#(number) ,"b":{"\u0000":\#(number)}}"#).outline
        == "{'a':#.#,'b':{'<0>':#.#}}")
  }

  @Test(arguments: [
    "018446744073709551616", "-018446744073709551616", "+18446744073709551616",
    "18446744073709551616.", "18446744073709551616.e1", "18446744073709551616e",
    "1.e400", "1e400.5", "1e400e1", "1e400-1", "1e400+", "1e+-400", "--1e400", "-", "1e400x",
    "01e400", "00", "1e400 1", "1e400true", "1e400\"a\"", "1e400[]", "1-1e400", "tru1e400",
    "18446744073709551616,1", ".1e400", "1e400\\u0000", "\\u0000",
  ])
  func `a malformed number stays malformed`(number: String) {
    #expect(error(parsing: number)?.kind == .malformed)
    #expect(error(parsing: "{\"a\":\(number)")?.kind == .malformed)
    #expect(error(parsing: #"{"\u0000":\#(number)}"#)?.kind == .malformed)
    #expect(error(parsing: #"[1e400,{"a":\#(number)}]"#)?.kind == .malformed)
  }

  @Test(arguments: [
    (#"{"\u0000":1,x}"#, "1:13"), (#"{"bcdefg":1,x}"#, "1:13"),
    ("[1e400,\n18446744073709551616,x]", "2:22"), ("[10000,\n10000000000000000000,x]", "2:22"),
    (#"{"\u0000":1,"\u0000":2}"#, "1:20"), (#"{"bcdefg":1,"bcdefg":2}"#, "1:20"),
  ])
  func `a fault is placed as if nothing were rewritten`(text: String, place: String) {
    #expect(error(parsing: text)?.place == place)
  }

  @Test func `the depth is that of the text`() {
    let opened = String(repeating: #"{"\u0000":"#, count: 64)
    let closed = String(repeating: "}", count: 64)
    #expect(error(parsing: opened + "1e400" + closed) == nil)
    #expect(error(parsing: opened + "[]" + closed) == .tooDeep(depthMax: 64))
  }
}
