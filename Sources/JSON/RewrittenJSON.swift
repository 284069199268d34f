/// A JSON text in which what libjansson cannot hold is replaced by something of the same length and
/// kind, so that everything else about the text, error positions included, stays as it was.
///
/// - U+0000, always written `\u0000`, becomes a scalar that the text does not contain: libjansson
///   refuses it in a key, where the service has an answer of its own for it.
/// - A number becomes `0` or `0.0` and spaces: libjansson refuses `18446744073709551615` and `1e400`
///   as out of range, and the service needs to know only which kind of number was sent.
struct RewrittenJSON {
  private(set) var bytes: [UInt8]
  /// The scalar that stands for U+0000; nil when every candidate is taken, and then it is left.
  let nulStandIn: Unicode.Scalar?

  init(_ original: [UInt8]) {
    bytes = original
    nulStandIn = Self.unusedPrivateScalar(in: original)
    var index = 0
    var isInString = false
    while index < bytes.count {
      switch bytes[index] {
      case UInt8(ascii: "\""):
        isInString.toggle()
        index += 1
      case UInt8(ascii: "\\") where isInString:
        replaceEscapedNUL(at: index)
        index += 2
      case let byte where !isInString && "-0123456789".utf8.contains(byte):
        index = replaceNumber(at: index)
      default:
        index += 1
      }
    }
  }

  private mutating func replaceEscapedNUL(at index: Int) {
    guard let nulStandIn, bytes[index...].starts(with: #"\u0000"#.utf8) else { return }
    bytes.replaceSubrange(
      index + 2..<index + 6, with: String(nulStandIn.value, radix: 16).utf8)
  }

  /// Replaces a whole number token; what is not a number by the grammar stays, and is refused.
  ///
  /// - Returns: Where the token ends.
  private mutating func replaceNumber(at start: Int) -> Int {
    let end = bytes[start...].firstIndex { !"+-.eE0123456789".utf8.contains($0) } ?? bytes.count
    guard let isInteger = Self.isInteger(number: bytes[start..<end]) else { return end }
    let replacement = isInteger ? "0" : "0.0"
    let spaces = repeatElement(UInt8(ascii: " "), count: end - start - replacement.utf8.count)
    bytes.replaceSubrange(start..<end, with: Array(replacement.utf8) + spaces)
    return end
  }

  /// - Returns: nil when the token is not a number by RFC 8259, section 6.
  private static func isInteger(number token: ArraySlice<UInt8>) -> Bool? {
    var rest = token
    func dropDigits() -> ArraySlice<UInt8> {
      let digits = rest.prefix { (0x30...0x39).contains($0) }
      rest = rest.dropFirst(digits.count)
      return digits
    }
    if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
    let whole = dropDigits()
    guard !whole.isEmpty, whole.count == 1 || whole.first != UInt8(ascii: "0") else { return nil }
    if rest.isEmpty { return true }
    if rest.first == UInt8(ascii: ".") {
      rest = rest.dropFirst()
      guard !dropDigits().isEmpty else { return nil }
    }
    if let exponent = rest.first, "eE".utf8.contains(exponent) {
      rest = rest.dropFirst()
      if let sign = rest.first, "+-".utf8.contains(sign) { rest = rest.dropFirst() }
      guard !dropDigits().isEmpty else { return nil }
    }
    return rest.isEmpty ? false : nil
  }

  /// A private-use scalar (U+E000 to U+F8FF) that the text has neither as bytes nor escaped.
  private static func unusedPrivateScalar(in bytes: [UInt8]) -> Unicode.Scalar? {
    let first: UInt32 = 0xe000
    let last: UInt32 = 0xf8ff
    var isUsed = [Bool](repeating: false, count: Int(last - first) + 1)
    let note = { (value: UInt32, isUsed: inout [Bool]) in
      if (first...last).contains(value) { isUsed[Int(value - first)] = true }
    }
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
      note(scalar.value, &isUsed)
    }
    for index in bytes.indices where bytes[index...].starts(with: #"\u"#.utf8) {
      let digits = String(decoding: bytes[index...].dropFirst(2).prefix(4), as: UTF8.self)
      if let value = UInt32(digits, radix: 16) { note(value, &isUsed) }
    }
    return isUsed.firstIndex(of: false).flatMap { Unicode.Scalar(first + UInt32($0)) }
  }
}
