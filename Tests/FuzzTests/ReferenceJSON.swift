/// JSON as RFC 8259 has it, read a second time in the plainest way, to compare with.
indirect enum ReferenceJSON {
  case null, integer, decimal
  case boolean(Bool)
  case string([UInt8])
  case array([ReferenceJSON])
  case object([Member])

  typealias Member = (key: [UInt8], value: ReferenceJSON)

  /// Why a text is refused.
  enum Fault: Error, Equatable {
    case malformed
    case duplicateKey
    case tooDeep
  }

  static let depthMax = 64

  /// - Throws: The first fault in the order of the text.
  init(_ text: [UInt8]) throws(Fault) {
    var reader = ReferenceReader(rest: text[...])
    let value = try reader.value(depth: 0)
    reader.skipSpace()
    guard reader.rest.isEmpty else { throw .malformed }
    self = value
  }
}

private struct ReferenceReader {
  var rest: ArraySlice<UInt8>

  mutating func skipSpace() {
    rest = rest.drop { " \t\r\n".utf8.contains($0) }
  }

  private mutating func take(_ text: StaticString) -> Bool {
    let bytes = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    guard rest.starts(with: bytes) else { return false }
    rest = rest.dropFirst(bytes.count)
    return true
  }

  private mutating func demand(_ text: StaticString) throws(ReferenceJSON.Fault) {
    skipSpace()
    guard take(text) else { throw .malformed }
  }

  /// - Parameter depth: How many arrays and objects are around the value.
  mutating func value(depth: Int) throws(ReferenceJSON.Fault) -> ReferenceJSON {
    skipSpace()
    switch rest.first {
    case UInt8(ascii: "{"): return .object(try members(depth: depth + 1))
    case UInt8(ascii: "["): return .array(try elements(depth: depth + 1))
    case UInt8(ascii: "\""): return .string(try string())
    default: break
    }
    if take("null") { return .null }
    if take("true") { return .boolean(true) }
    if take("false") { return .boolean(false) }
    return try number()
  }

  private mutating func members(depth: Int) throws(ReferenceJSON.Fault) -> [ReferenceJSON.Member] {
    guard depth <= ReferenceJSON.depthMax else { throw .tooDeep }
    try demand("{")
    skipSpace()
    if take("}") { return [] }
    var members: [ReferenceJSON.Member] = []
    var keys: Set<[UInt8]> = []
    repeat {
      skipSpace()
      let key = try string()
      guard keys.insert(key).inserted else { throw .duplicateKey }
      try demand(":")
      members.append((key, try value(depth: depth)))
      skipSpace()
    } while take(",")
    try demand("}")
    return members
  }

  private mutating func elements(depth: Int) throws(ReferenceJSON.Fault) -> [ReferenceJSON] {
    guard depth <= ReferenceJSON.depthMax else { throw .tooDeep }
    try demand("[")
    skipSpace()
    if take("]") { return [] }
    var elements: [ReferenceJSON] = []
    repeat {
      elements.append(try value(depth: depth))
      skipSpace()
    } while take(",")
    try demand("]")
    return elements
  }

  private mutating func digits() throws(ReferenceJSON.Fault) {
    let rest = rest.drop { (0x30...0x39).contains($0) }
    guard rest.count < self.rest.count else { throw .malformed }
    self.rest = rest
  }

  private mutating func number() throws(ReferenceJSON.Fault) -> ReferenceJSON {
    var isInteger = true
    _ = take("-")
    if !take("0") { try digits() }
    if take(".") {
      isInteger = false
      try digits()
    }
    if take("e") || take("E") {
      isInteger = false
      _ = take("+") || take("-")
      try digits()
    }
    return isInteger ? .integer : .decimal
  }

  private mutating func string() throws(ReferenceJSON.Fault) -> [UInt8] {
    guard take("\"") else { throw .malformed }
    var bytes: [UInt8] = []
    while let byte = rest.popFirst(), byte >= 0x20 {
      switch byte {
      case UInt8(ascii: "\""):
        guard String(validating: bytes, as: UTF8.self) != nil else { throw .malformed }
        return bytes
      case UInt8(ascii: "\\"):
        bytes.append(contentsOf: String(try escaped()).utf8)
      default:
        bytes.append(byte)
      }
    }
    throw .malformed
  }

  private mutating func escaped() throws(ReferenceJSON.Fault) -> Unicode.Scalar {
    switch rest.popFirst() {
    case UInt8(ascii: "\""): return "\""
    case UInt8(ascii: "\\"): return "\\"
    case UInt8(ascii: "/"): return "/"
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): break
    default: throw .malformed
    }
    let unit = try hexadecimalUnit()
    if let scalar = Unicode.Scalar(unit) { return scalar }
    guard unit < 0xdc00, take("\\u") else { throw .malformed }
    let low = try hexadecimalUnit()
    guard (0xdc00...0xdfff).contains(low) else { throw .malformed }
    return Unicode.Scalar(0x10000 + UInt32(unit - 0xd800) << 10 + UInt32(low - 0xdc00))!
  }

  private mutating func hexadecimalUnit() throws(ReferenceJSON.Fault) -> UInt16 {
    var unit: UInt16 = 0
    for _ in 0..<4 {
      guard let byte = rest.popFirst(),
        let digit = "0123456789abcdef".utf8.map({ $0 }).firstIndex(of: byte | 0x20), byte > 0x2f
      else { throw .malformed }
      unit = unit << 4 + UInt16(digit)
    }
    return unit
  }
}
