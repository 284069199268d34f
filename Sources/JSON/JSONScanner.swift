/// Finds the values of a JSON text (RFC 8259) in one pass. Indices are checked as those of any array.
struct JSONScanner {
  private let bytes: [UInt8]
  private let valuesMax: Int
  private var index = 0
  private var nodes: [JSONNode] = []
  /// How many `,` `:` `[` `{` there were.
  private var valuesCount = 0

  /// - Parameters:
  ///   - bytes: The text, which is UTF-8.
  ///   - valuesMax: How many values it may have.
  init(_ bytes: [UInt8], valuesMax: Int) {
    self.bytes = bytes
    self.valuesMax = valuesMax
  }

  /// Reads the whole text.
  mutating func nodesOfText() throws(JSONError) -> [JSONNode] {
    try value(depth: 0)
    guard index == bytes.count else { throw malformed(at: index) }
    return nodes
  }

  /// Whether a byte is whitespace between values.
  static func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09
  }

  /// Reads a value and the whitespace around it.
  ///
  /// - Parameter depth: How many arrays and objects are around it.
  private mutating func value(depth: Int) throws(JSONError) {
    skipSpace()
    switch byte {
    case UInt8(ascii: "\""): try string()
    case UInt8(ascii: "{"): try object(depth: depth)
    case UInt8(ascii: "["): try array(depth: depth)
    case UInt8(ascii: "n"): try word("null", .null)
    case UInt8(ascii: "t"): try word("true", .boolean)
    case UInt8(ascii: "f"): try word("false", .boolean)
    default: try number()
    }
    skipSpace()
  }

  private mutating func array(depth: Int) throws(JSONError) {
    let number = try open("[", .array, depth: depth)
    if !take("]") {
      repeat { try value(depth: depth + 1) } while try takeCounted(",")
      guard take("]") else { throw malformed(at: index) }
    }
    nodes[number].close(at: index, next: nodes.count)
  }

  private mutating func object(depth: Int) throws(JSONError) {
    let number = try open("{", .object, depth: depth)
    if !take("}") {
      var keys = JSONKeys()
      repeat {
        skipSpace()
        guard byte == UInt8(ascii: "\"") else { throw malformed(at: index) }
        try string()
        let key = nodes.count - 1
        guard keys.insert(key, of: nodes, in: bytes) else {
          throw .duplicateKey(at: position(of: index - 1))
        }
        skipSpace()
        guard try takeCounted(":") else { throw malformed(at: index) }
        try value(depth: depth + 1)
        nodes[key].close(next: nodes.count)
      } while try takeCounted(",")
      guard take("}") else { throw malformed(at: index) }
    }
    nodes[number].close(at: index, next: nodes.count)
  }

  /// Reads the first byte of an array or object.
  ///
  /// - Returns: The number of its node, which is still to be closed.
  private mutating func open(
    _ bracket: Unicode.Scalar, _ kind: JSON.Kind, depth: Int
  ) throws(JSONError) -> Int {
    guard depth < JSON.depthMax else { throw .tooDeep(depthMax: JSON.depthMax) }
    let start = index
    _ = try takeCounted(bracket)
    append(kind, from: start)
    skipSpace()
    return nodes.count - 1
  }

  private mutating func string() throws(JSONError) {
    let start = index
    var hasEscapes = false
    index += 1
    while true {
      index = plainEnd
      switch byte {
      case UInt8(ascii: "\""):
        index += 1
        append(.string, from: start, hasEscapes: hasEscapes)
        return
      case UInt8(ascii: "\\"):
        guard let escape = JSONEscape(in: bytes, at: index) else { throw malformed(at: index) }
        hasEscapes = true
        index = escape.end
      default:
        throw malformed(at: index)
      }
    }
  }

  private mutating func number() throws(JSONError) {
    let start = index
    var kind = JSON.Kind.integer
    _ = take("-")
    if !take("0") { try digits() }
    if take(".") {
      kind = .decimal
      try digits()
    }
    if take("e") || take("E") {
      kind = .decimal
      _ = take("+") || take("-")
      try digits()
    }
    append(kind, from: start)
  }

  /// Reads one digit at least.
  private mutating func digits() throws(JSONError) {
    let start = index
    while byte &- 0x30 < 10 { index += 1 }
    guard index > start else { throw malformed(at: index) }
  }

  private mutating func word(_ word: StaticString, _ kind: JSON.Kind) throws(JSONError) {
    let start = index
    for offset in 0..<word.utf8CodeUnitCount {
      guard byte == word.utf8Start[offset] else { throw malformed(at: index) }
      index += 1
    }
    append(kind, from: start)
  }

  /// The next byte; at the end 0, which may stand nowhere.
  private var byte: UInt8 { index < bytes.count ? bytes[index] : 0 }

  private mutating func skipSpace() {
    while Self.isSpace(byte) { index += 1 }
  }

  /// Where what stands for itself in a string ends.
  private var plainEnd: Int {
    let text = bytes.span
    var end = index
    while end < text.count, text[end] >= 0x20, text[end] != UInt8(ascii: "\""),
      text[end] != UInt8(ascii: "\\")
    {
      end += 1
    }
    return end
  }

  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard byte == UInt8(ascii: scalar) else { return false }
    index += 1
    return true
  }

  private mutating func takeCounted(_ scalar: Unicode.Scalar) throws(JSONError) -> Bool {
    guard take(scalar) else { return false }
    valuesCount += 1
    guard valuesCount <= valuesMax else { throw .tooManyValues(valuesMax: valuesMax) }
    return true
  }

  private mutating func append(_ kind: JSON.Kind, from start: Int, hasEscapes: Bool = false) {
    nodes.append(
      JSONNode(kind, number: nodes.count, start..<index, hasEscapes: hasEscapes))
  }

  private func malformed(at offset: Int) -> JSONError {
    .malformed(at: position(of: offset))
  }

  private func position(of offset: Int) -> JSONPosition {
    JSONPosition(offset: offset, in: bytes)
  }
}
