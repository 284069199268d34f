/// The public name of a conversation: `conv_` and 48 lower-case hexadecimal digits.
///
/// The first 8 digits are the creation time; the other 40 are a number of 160 bits that nobody can
/// guess. Ids sort in the order in which they were made (contract, section 1).
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
  /// A new second starts anywhere in the lower half of the 160 bits. Within a second, and when the
  /// clock goes back, the id is `previous` plus a step of up to 128 random bits: the order holds,
  /// and who knows one id still cannot guess the next.
  ///
  /// - Parameters:
  ///   - unixSeconds: The clock, clamped to the 32 bits that the form has room for.
  ///   - previous: The newest id so far, of any project.
  ///   - generator: A source that cannot be predicted.
  public init(
    at unixSeconds: Int64, after previous: ConversationID?,
    using generator: inout some RandomNumberGenerator
  ) {
    let now = UInt32(clamping: unixSeconds)
    guard let previous, previous.createdAt >= Int64(now) else {
      self.init(
        seconds: now, high: .random(in: 0...0x7fff_ffff, using: &generator),
        low: .random(in: 0...(.max), using: &generator))
      return
    }
    var (seconds, high, low) = previous.parts
    let step = UInt128.random(in: 1...(.max), using: &generator)
    let (sum, carried) = low.addingReportingOverflow(step)
    low = sum
    if carried {
      // 2^31 conversations in one second borrow from the next one.
      let (next, carriedAgain) = high.addingReportingOverflow(1)
      high = next
      if carriedAgain { seconds &+= 1 }
    }
    self.init(seconds: seconds, high: high, low: low)
  }

  /// When the conversation was created, in Unix seconds.
  public var createdAt: Int64 { Int64(digits(0..<8) as UInt32) }

  /// A text that stands, in code point order, after all ids of earlier seconds and before all of
  /// this one and later; no id is equal to it.
  public static func place(before unixSeconds: Int64) -> String {
    switch unixSeconds {
    case ..<0: prefix
    case 0...Int64(UInt32.max): prefix + String(hexadecimal: UInt32(unixSeconds))
    default: prefix + "g"
    }
  }

  private init(seconds: UInt32, high: UInt32, low: UInt128) {
    description =
      Self.prefix + String(hexadecimal: seconds) + String(hexadecimal: high)
      + String(hexadecimal: low)
  }

  private var parts: (seconds: UInt32, high: UInt32, low: UInt128) {
    (digits(0..<8), digits(8..<16), digits(16..<48))
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
