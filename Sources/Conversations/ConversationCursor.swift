/// A place in a list of conversations (contract, section 6).
public enum ConversationCursor: Equatable, Sendable, CustomStringConvertible {
  /// The place of a conversation. In the order of creation that is its id, and there need be no such
  /// conversation; in the order of last activity it is its present one.
  case conversation(ConversationID)
  /// A place in the order of last activity: where a conversation was when a page showed it.
  case activity(ConversationID, microseconds: Int64)

  private static let digitCount = 13

  /// Reads an id, or an id with a full stop and the 13 hexadecimal digits of a moment.
  ///
  /// - Returns: nil for every other form.
  public init?(_ text: String) {
    if let id = ConversationID(text) {
      self = .conversation(id)
      return
    }
    let bytes = text.utf8
    let digits = bytes.suffix(Self.digitCount)
    guard bytes.count > Self.digitCount, digits.allSatisfy(\.isLowercaseHexDigit),
      bytes.dropLast(Self.digitCount).last == UInt8(ascii: "."),
      let id = ConversationID(String(decoding: bytes.dropLast(Self.digitCount + 1), as: UTF8.self)),
      let microseconds = Int64(String(decoding: digits, as: UTF8.self), radix: 16)
    else { return nil }
    self = .activity(id, microseconds: microseconds)
  }

  /// What `init` reads.
  public var description: String {
    switch self {
    case .conversation(let id): id.description
    case .activity(let id, let microseconds):
      "\(id).\(String(hexadecimal: UInt64(clamping: microseconds)).suffix(Self.digitCount))"
    }
  }
}
