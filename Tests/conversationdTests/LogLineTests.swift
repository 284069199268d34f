import Foundation
import Logging
import Testing

@testable import conversationd

@Suite struct LogLineTests {
  private static let time = Timestamp(unixSeconds: 1_700_000_000)

  private func line(
    _ message: String, _ fields: KeyValuePairs<String, Logger.MetadataValue> = [:],
    isJSON: Bool = false
  ) -> String {
    var line = LogLine(LogLine.Format(isJSON: isJSON), .info, message, time: Self.time)
    for field in fields { line.append(field.key, field.value) }
    return String(decoding: line.ended(), as: UTF8.self)
  }

  @Test func `values of logfmt are quoted where they must be`() {
    #expect(
      line(
        "two words",
        [
          "a": "plain", "b": "", "c": "x=y", "d": "say \"hi\"", "e": "1\n2", "f": "caf\u{E9}>",
          "g": "{", "h": .stringConvertible(12), "i": .stringConvertible(1.5), "j": ["x", "y"],
        ])
        == "time=2023-11-14T22:13:20Z level=info message=\"two words\" a=plain b=\"\" c=\"x=y\" "
        + "d=\"say \\\"hi\\\"\" e=\"1\\n2\" f=caf\u{E9}> g={ h=12 i=1.5 j=\"[\\\"x\\\", \\\"y\\\"]\"\n"
    )
  }

  @Test func `numbers of JSON are numbers, and all else is a string`() {
    #expect(
      line(
        "m", ["a": .stringConvertible(12), "b": "12", "c": .stringConvertible(0.25)], isJSON: true)
        == #"{"time":"2023-11-14T22:13:20Z","level":"info","message":"m","a":12,"b":"12","c":0.25}"#
        + "\n")
  }

  @Test(arguments: ["x", "\"", "\u{1}", "\u{E9}", "\u{1F4AC}"], [false, true])
  func `a line is never longer than its bound, and well-formed`(
    character: String, isJSON: Bool
  ) throws {
    let long = String(repeating: character, count: 10_000)
    let names = (0..<50).map { "field\($0)" }
    var line = LogLine(LogLine.Format(isJSON: isJSON, hasPriority: true), .error, long, time: .now)
    for name in names { line.append(name, "\(long)") }
    line.append("last", "short")
    let bytes = line.ended()
    #expect(bytes.count <= LogLine.bytesMax)
    #expect(bytes.count { $0 == UInt8(ascii: "\n") } == 1)
    #expect(String(validating: bytes, as: UTF8.self) != nil)
    #expect(bytes.starts(with: "<3>".utf8))
    guard isJSON else { return }
    let object = try JSONSerialization.jsonObject(with: Data(bytes.dropFirst(3))) as? [String: Any]
    #expect(object?["message"] != nil)
  }
}
