import JSON
import Testing

/// Texts of 1 MiB: each is read in time that grows with its length.
@Suite(.timeLimit(.minutes(1))) struct LargeJSONTests {
  private static let bytesMax = 1024 * 1024

  /// `open`, then `unit` as often as there is room, then `last` and `close`.
  private func text(_ open: String, _ unit: String, _ last: String, _ close: String) -> [UInt8] {
    let room = Self.bytesMax - open.utf8.count - last.utf8.count - close.utf8.count
    let middle = String(repeating: unit, count: room / unit.utf8.count)
    return Array((open + middle + last + close).utf8)
  }

  @Test func `a number of a million digits is read`() throws {
    #expect(try JSON(parsing: text("-", "1", "", "")).outline == "#")
    #expect(try JSON(parsing: text("1e", "1", "", "")).outline == "#.#")
    #expect(error(parsing: text("0", "1", "", ""))?.kind == .malformed)
    #expect(error(parsing: text("", "1", "e", ""))?.kind == .malformed)
  }

  @Test(arguments: ["1e400,", #""\u0000","#, #"{"\u0000":1},"#, #""\ue000","#])
  func `an array of very many is read`(unit: String) throws {
    let opened = #"[{"\u0000":1e400},"#
    let bytes = text(opened, unit, "1", "]")
    let unitCount = (bytes.count - opened.utf8.count - 2) / unit.utf8.count
    #expect(try JSON(parsing: bytes).elements?.count == unitCount + 2)
  }

  @Test(arguments: [#"\u0000"#, #"\""#])
  func `a long key is read`(unit: String) throws {
    let bytes = text(#"{"\u0000"#, unit, "", #"":""}"#)
    let key = try #require(JSON(parsing: bytes).members?.first?.key)
    #expect(key.utf8.count == 1 + (bytes.count - 13) / unit.utf8.count)
  }

  @Test(arguments: ["[", "-", "\\", "\""])
  func `a text that is nothing but one piece ends with an error`(unit: String) {
    #expect(error(parsing: text("[1e400,", unit, "", "")) != nil)
    #expect(error(parsing: text("", unit, "", "")) != nil)
  }
}
