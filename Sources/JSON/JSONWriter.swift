/// Writes compact JSON text into bytes, member by member, in the order of the calls.
///
/// The caller keeps the grammar: it opens and closes what it starts, and puts the commas.
public struct JSONWriter {
  /// What is written so far.
  public private(set) var bytes: [UInt8] = []

  /// - Parameter capacity: The bytes to make room for.
  public init(capacity: Int = 256) {
    bytes.reserveCapacity(capacity)
  }

  /// Writes a piece of JSON as it stands: punctuation, names, numbers.
  public mutating func raw(_ json: StaticString) {
    json.withUTF8Buffer { bytes.append(contentsOf: $0) }
  }

  /// Writes bytes that are JSON already, as they stand.
  public mutating func raw(_ json: some Collection<UInt8>) {
    bytes.append(contentsOf: json)
  }

  /// Writes a value as it was sent, whitespace outside strings aside.
  public mutating func value(_ json: JSON) {
    json.appendCompact(to: &bytes)
  }

  /// Writes an integer.
  public mutating func integer(_ value: some BinaryInteger) {
    bytes.append(contentsOf: String(value).utf8)
  }

  /// Writes a string with its quotes. Only what RFC 8259, section 7 demands is escaped.
  public mutating func string(_ value: String) {
    string(utf8: value.utf8Span.span)
  }

  /// Writes a string with its quotes.
  ///
  /// - Parameter value: Its UTF-8.
  public mutating func string(utf8 value: Span<UInt8>) {
    bytes.append(UInt8(ascii: "\""))
    value.withUnsafeBytes { text in
      var start = 0
      while start < text.count {
        let end = Self.firstEscaped(in: text, from: start)
        bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[start..<end]))
        if end < text.count { escape(text[end]) }
        start = end + 1
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  /// - Returns: Where the first byte is that has to be escaped, or the end.
  private static func firstEscaped(in text: UnsafeRawBufferPointer, from start: Int) -> Int {
    let ones: UInt64 = 0x0101_0101_0101_0101
    var index = start
    // Eight bytes at a time, as long as there is nothing. The high bit of a byte of `found` is set where
    // it is below 0x20, a quote or a backslash; a borrow may set it also in a byte after one of those.
    while index + 8 <= text.count {
      let word = text.loadUnaligned(fromByteOffset: index, as: UInt64.self)
      let quote = word ^ (ones &* 0x22)
      let backslash = word ^ (ones &* 0x5c)
      let found =
        (word &- ones &* 0x20) & ~word | (quote &- ones) & ~quote
        | (backslash &- ones) & ~backslash
      guard found & (ones &* 0x80) == 0 else { break }
      index += 8
    }
    while index < text.count, !mustEscape(text[index]) { index += 1 }
    return index
  }

  /// Writes a string, or `null` for nil.
  public mutating func stringOrNull(_ value: String?) {
    if let value { string(value) } else { raw("null") }
  }

  private static func mustEscape(_ byte: UInt8) -> Bool {
    byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
  }

  private mutating func escape(_ byte: UInt8) {
    bytes.append(UInt8(ascii: "\\"))
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
    case UInt8(ascii: "\n"): bytes.append(UInt8(ascii: "n"))
    case UInt8(ascii: "\r"): bytes.append(UInt8(ascii: "r"))
    case UInt8(ascii: "\t"): bytes.append(UInt8(ascii: "t"))
    default:
      let digits = String(byte, radix: 16)
      bytes.append(contentsOf: "u\(String(repeating: "0", count: 4 - digits.utf8.count))".utf8)
      bytes.append(contentsOf: digits.utf8)
    }
  }
}
