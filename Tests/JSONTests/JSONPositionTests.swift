import JSON
import Testing

/// Lines and columns count from 1, columns in code points, at the first that may not stand there; an
/// escape is one piece, and a key twice is placed at its end.
@Suite struct JSONPositionTests {
  @Test(arguments: [
    ("x", "1:1"), ("", "1:1"), (" ", "1:2"), ("\n\n", "3:1"), ("[", "1:2"), ("[1", "1:3"),
    ("[1,\n2,\nx]", "3:1"), ("{\"a\":1,}", "1:8"), ("{\"a\" 1}", "1:6"), ("{\"a\":}", "1:6"),
    ("[1 2]", "1:4"), ("[1}", "1:3"), ("{1:2}", "1:2"), ("{,}", "1:2"), ("[,]", "1:2"),
    ("{} {}", "1:4"), ("{}\r\n1", "2:1"), ("\u{E9}", "1:1"), ("\u{FEFF}{}", "1:1"),
    ("[\"\u{E9}\u{1F600}e\u{301}\",x]", "1:9"), ("nulx", "1:4"), ("nul", "1:4"), ("True", "1:1"),
    ("01", "1:2"), ("[-]", "1:3"), ("[1.]", "1:4"), ("[1e400.]", "1:7"), ("[1e+]", "1:5"),
    ("\"a", "1:3"), ("\"a\nb\"", "1:3"), ("\"\u{E9}\t\"", "1:3"), (#""a\x""#, "1:3"),
    (#""a\u12""#, "1:3"), (#""é\ud800""#, "1:3"), (#""\ud83d\ud83d\ude00""#, "1:2"),
    (#""\ud83d\ude00\ude00""#, "1:14"), (#"{"\u0000":1,x}"#, "1:13"),
    ("[1e400,\n18446744073709551616,x]", "2:22"),
  ])
  func `a fault is placed`(text: String, place: String) {
    #expect(error(parsing: text)?.place == place)
  }

  @Test(arguments: [
    ("{\"a\":1,\"a\":2}", "1:10"), ("{\"a\":1,\n \"a\":2}", "2:4"), ("{\"a\":1,\n \"a", "2:4"),
    (#"{"\u0000":1,"\u0000":2}"#, "1:20"), (#"{"a":1,"a":2,x}"#, "1:10"),
  ])
  func `a key twice is placed at its end, if it has one`(text: String, place: String) {
    #expect(error(parsing: text)?.place == place)
  }

  @Test(
    arguments: [
      ("", [0xff], "1:1"), ("[\"\u{E9}\u{1F600}", [0xc3], "1:5"),
      ("[1,\n 2,", [0xe2, 0x82], "2:4"),
      ("x", [0x80], "1:2"),
    ] as [(String, [UInt8], String)])
  func `what is not UTF-8 is placed, whatever else is wrong`(
    before: String, bad: [UInt8], place: String
  ) {
    let found = error(parsing: Array(before.utf8) + bad + Array("\"]".utf8))
    #expect(found?.kind == .notUTF8)
    #expect(found?.place == place)
  }
}
