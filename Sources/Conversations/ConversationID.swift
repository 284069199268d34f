/// The public name of a conversation: `conv_` and 48 lower-case hexadecimal digits.
///
/// 8 digits are the second of its creation, 5 the microsecond in that second, 3 a sequence within the
/// microsecond, and 32 are random. Ids sort in the order in which they were made, and the distance
/// between two tells the time between them, not what others created meanwhile (contract, section 1).
public struct ConversationID: Hashable, Sendable, CustomStringConvertible {
  /// All 53 characters.
  public let description: String

  private static let prefix = "conv_"
  private static let digitCount = 48

  /// Reads an id.
  ///
  /// - Returns: nil for every other form; no conversation can have such an id.
  public init?(_ text: String) {
    let bytes = text.utf8Span.span
    guard bytes.count == Self.prefix.utf8.count + Self.digitCount, text.hasPrefix(Self.prefix),
      (Self.prefix.utf8.count..<bytes.count).allSatisfy({ bytes[$0].isLowercaseHexDigit })
    else { return nil }
    description = text
  }

  /// Makes the id of a new conversation, which sorts after `previous`.
  ///
  /// The first 16 digits are one number: the clock's, or that of `previous` plus 1 if that is larger.
  ///
  /// - Parameters:
  ///   - unixMicroseconds: The clock, clamped to the years 1970 to 2106, which the form has room for.
  ///   - previous: The newest id so far, of any project.
  ///   - generator: A source that cannot be predicted.
  public init(
    atMicroseconds unixMicroseconds: Int64, after previous: ConversationID?,
    using generator: inout some RandomNumberGenerator
  ) {
    let clock = Self.place(unixMicroseconds)
    let place: UInt64 = previous.map { max(clock, $0.digits(0..<16) &+ 1) } ?? clock
    description =
      Self.prefix + String(hexadecimal: place)
      + String(hexadecimal: UInt128.random(in: 0...(.max), using: &generator))
  }

  /// When the conversation was created, in Unix seconds.
  public var createdAt: Int64 { Int64(digits(0..<8) as UInt32) }

  /// When the conversation was created, in Unix microseconds. An id of the older format, whose digits
  /// for the microsecond are random, is taken to be of its second's last one where they say more.
  public var createdAtMicroseconds: Int64 {
    createdAt * 1_000_000 + min(Int64(digits(8..<13) as UInt32), 999_999)
  }

  /// A text that stands, in code point order, after all ids of earlier seconds and before all of
  /// this one and later; no id is equal to it.
  public static func place(before unixSeconds: Int64) -> String {
    switch unixSeconds {
    case ..<0: prefix
    case 0...Int64(UInt32.max): prefix + String(hexadecimal: UInt32(unixSeconds))
    default: prefix + "g"
    }
  }

  /// The first 16 digits of the first id of a microsecond.
  private static func place(_ unixMicroseconds: Int64) -> UInt64 {
    let newest = (Int64(UInt32.max) + 1) * 1_000_000 - 1
    let (second, microsecond) = min(max(unixMicroseconds, 0), newest)
      .quotientAndRemainder(dividingBy: 1_000_000)
    return UInt64(second) << 32 | UInt64(microsecond) << 12
  }

  private func digits<Value: FixedWidthInteger>(_ range: Range<Int>) -> Value {
    let bytes = description.utf8Span.span
    let start = Self.prefix.utf8.count + range.lowerBound
    return (start..<start + range.count).reduce(0) { value, index in
      let digit = bytes[index]
      return value << 4 | Value(digit < 0x3a ? digit - 0x30 : digit - 0x57)
    }
  }
}

extension ConversationID: Comparable {
  /// The order of creation.
  public static func < (left: ConversationID, right: ConversationID) -> Bool {
    left.description.utf8.lexicographicallyPrecedes(right.description.utf8)
  }
}
