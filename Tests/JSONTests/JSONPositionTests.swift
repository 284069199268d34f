import JSON
import Testing

/// Lines count from 1, columns from 0 in code points, at the place where the fault was noticed.
@Suite struct JSONPositionTests {
  @Test(arguments: [
    ("x", "1:1"),
    ("[1,\n2,\nx]", "3:1"),
    ("{\"a\":1,}", "1:8"),
    ("{} {}", "1:4"),
    ("\u{E9}", "1:1"),
    ("[\"\u{E9}\u{1F600}e\u{301}\",x]", "1:9"),
    ("{\"a\":1,\"a\":2}", "1:10"),
    ("{\"a\":1,\n \"a\":2}", "2:4"),
  ])
  func `a fault is placed`(text: String, place: String) {
    #expect(error(parsing: text)?.place == place)
  }
}
