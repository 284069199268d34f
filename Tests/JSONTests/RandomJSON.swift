import TestSupport

/// A JSON text that was made up, and what a reader must tell of it.
struct RandomJSON {
  /// The text with whitespace wherever it may be.
  private(set) var spaced: [UInt8] = []
  /// The same text without it.
  private(set) var compact: [UInt8] = []
  private var random: SeededGenerator

  init(seed: UInt64) {
    random = SeededGenerator(seed: seed)
    space()
    value(depth: 0)
    space()
  }

  private mutating func value(depth: Int) {
    switch Int.random(in: 0..<(depth < 6 ? 8 : 5), using: &random) {
    case 0: put(["null", "true", "false"].randomElement(using: &random)!)
    case 1: put(Self.numbers.randomElement(using: &random)!)
    case 2: put(String(Int.random(in: .min ... .max, using: &random)))
    case 3, 4: string("")
    case 5, 6: array(depth: depth)
    default: object(depth: depth)
    }
  }

  private mutating func array(depth: Int) {
    put("[")
    space()
    for index in 0..<Int.random(in: 0..<5, using: &random) {
      if index > 0 { put(",") }
      space()
      value(depth: depth + 1)
      space()
    }
    put("]")
  }

  private mutating func object(depth: Int) {
    put("{")
    space()
    for index in 0..<Int.random(in: 0..<12, using: &random) {
      if index > 0 { put(",") }
      space()
      string("\(index)")
      space()
      put(":")
      space()
      value(depth: depth + 1)
      space()
    }
    put("}")
  }

  private mutating func string(_ start: String) {
    let pieces = (0..<Int.random(in: 0..<6, using: &random)).map { _ in
      Self.pieces.randomElement(using: &random)!
    }
    put("\"" + start + pieces.joined() + "\"")
  }

  private mutating func put(_ text: String) {
    spaced.append(contentsOf: text.utf8)
    compact.append(contentsOf: text.utf8)
  }

  private mutating func space() {
    for _ in 0..<Int.random(in: 0..<3, using: &random) {
      spaced.append([0x20, 0x09, 0x0a, 0x0d].randomElement(using: &random)!)
    }
  }

  private static let numbers = [
    "0", "-0", "1.0", "1e400", "-1.50E-010", "18446744073709551616", "0.1e+1", "3", "12345678901",
  ]

  private static let pieces = [
    "a", " ", "  ", "\u{E9}", "e\u{301}", "\u{1F600}", #"\u0000"#, #"\ud83d\uDE00"#, #"\""#,
    #"\\"#, #"\/"#, #"\n"#, "[", "]", "{", "}", ",", ":", "null", "\u{FEFF}", "\u{7F}", #"\u00e9"#,
    #"\\u0041"#, String(repeating: "long ", count: 20),
  ]
}
