import JSON
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct RandomJSONTests {
  @Test func `a text comes back byte for byte, and compact without its whitespace`() throws {
    for seed in 0..<500 as Range<UInt64> {
      let made = RandomJSON(seed: seed)
      let json = try JSON(parsing: made.spaced)
      #expect(json.text.elementsEqual(trimmed(made.spaced)), "seed \(seed)")
      #expect(compact(json) == made.compact, "seed \(seed)")
      #expect(rebuilt(json) == made.compact, "seed \(seed)")
      #expect(try JSON(parsing: made.compact).outline == json.outline, "seed \(seed)")
    }
  }

  @Test func `a text that ends early is malformed`() throws {
    for seed in 0..<60 as Range<UInt64> {
      let text = trimmed(RandomJSON(seed: seed).spaced)
      guard text.first == UInt8(ascii: "[") || text.first == UInt8(ascii: "{") else { continue }
      for end in text.indices.prefix(200) {
        let found = error(parsing: Array(text[..<end]))
        #expect(found?.kind == .malformed || found?.kind == .notUTF8, "seed \(seed), \(end)")
      }
    }
  }

  private func trimmed(_ text: [UInt8]) -> ArraySlice<UInt8> {
    let isSpace = { (byte: UInt8) in [0x20, 0x09, 0x0a, 0x0d].contains(byte) }
    let end = text.lastIndex { !isSpace($0) }! + 1
    return text[..<end].drop(while: isSpace)
  }

  private func compact(_ json: JSON) -> [UInt8] {
    var bytes: [UInt8] = []
    json.appendCompact(to: &bytes)
    return bytes
  }

  /// The compact text from the texts of its parts.
  private func rebuilt(_ json: JSON) -> [UInt8] {
    let comma = [UInt8(ascii: ",")]
    if let elements = json.elements {
      return Array("[".utf8) + elements.map(rebuilt).joined(separator: comma) + Array("]".utf8)
    }
    if let members = json.members {
      let pairs = members.map { $0.keyText + Array(":".utf8) + rebuilt($0.value) }
      return Array("{".utf8) + pairs.joined(separator: comma) + Array("}".utf8)
    }
    return Array(json.text)
  }
}
