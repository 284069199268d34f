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
    bytes.append(UInt8(ascii: "\""))
    value.utf8Span.span.withUnsafeBufferPointer { text in
      var start = 0
      for index in text.indices where Self.mustEscape(text[index]) {
        bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[start..<index]))
        escape(text[index])
        start = index + 1
      }
      bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[start...]))
    }
    bytes.append(UInt8(ascii: "\""))
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
