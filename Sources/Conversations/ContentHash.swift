/// Tells the content of a conversation from any other: the first 128 bits of a SHA-256 of its id and
/// its pairs. The same content has the same hash, also after a restart or in another database.
public struct ContentHash: Hashable, Sendable, CustomStringConvertible {
  /// The first 128 bits.
  package let value: UInt128

  /// Changes when the same content is shown in another form, so that no client takes an old form of
  /// it for the new one.
  private static let formVersion: UInt8 = 1

  /// 32 lower-case hexadecimal digits.
  public var description: String { String(hexadecimal: value) }

  /// Reads the form of `description`.
  ///
  /// - Returns: nil for every other form.
  public init?(_ text: some StringProtocol) {
    guard text.utf8.count == 32,
      text.utf8.allSatisfy(\.isLowercaseHexDigit),
      let value = UInt128(text, radix: 16)
    else { return nil }
    self.value = value
  }

  /// Hashes what a client sees of a conversation.
  init(of conversation: Conversation) {
    // One buffer and one call of the library.
    var bytes: [UInt8] = []
    bytes.reserveCapacity(conversation.metadata.block.count + 64)
    bytes.append(Self.formVersion)
    bytes.append(contentsOf: conversation.id.description.utf8)
    // With the length before each text, so that no two sets of pairs give the same bytes.
    bytes.append(contentsOf: conversation.metadata.block)
    value = SHA256.hash(bytes.span) { UInt128(bigEndian: $0.load(as: UInt128.self)) }
  }
}

extension Conversation {
  /// Tells this content from any other.
  public var contentHash: ContentHash { ContentHash(of: self) }
}
