/// The name of an item, which a conversation has once: 1 to 64 of `A-Z a-z 0-9 _ -` (contract,
/// section 8.4).
public struct ItemID: Hashable, Sendable, CustomStringConvertible {
  /// The most characters of an id.
  public static let lengthMax = 64

  /// All characters.
  public let description: String

  private static let digitCount = 48

  /// Takes an id that a client chose.
  ///
  /// - Throws: The first rule that is broken: `.tooLong`, `.otherCharacters`, `.otherPrefix`.
  public init(_ text: String, of type: ItemType) throws(ItemIDError) {
    let length = text.unicodeScalars.count
    guard length <= Self.lengthMax else { throw .tooLong(length: length) }
    guard let id = ItemID(text) else { throw .otherCharacters }
    let letters = type.idPrefix.dropLast()
    guard !type.isIDChecked || text.utf8.starts(with: letters.utf8) else {
      throw .otherPrefix(expected: String(letters))
    }
    self = id
  }

  /// Reads an id; nil for what no item can have.
  public init?(_ text: String) {
    let bytes = text.utf8
    guard (1...Self.lengthMax).contains(bytes.count), bytes.allSatisfy(Self.isAllowed) else {
      return nil
    }
    description = text
  }

  /// Makes the id of an item that was sent without one.
  ///
  /// - Parameters:
  ///   - type: The item's type, one whose items are stored.
  ///   - unixSeconds: The clock, clamped to the 32 bits that the form has room for.
  ///   - generator: A source that cannot be predicted, for 160 bits.
  public init(
    of type: ItemType, at unixSeconds: Int64, using generator: inout some RandomNumberGenerator
  ) {
    precondition(!type.idPrefix.isEmpty, "items of this type are not stored")
    description =
      type.idPrefix + String(hexadecimal: UInt32(clamping: unixSeconds))
      + String(hexadecimal: UInt128.random(in: 0...(.max), using: &generator))
      + String(hexadecimal: UInt32.random(in: 0...(.max), using: &generator))
  }

  /// Whether the service may have minted it: a known prefix and 48 lower-case hexadecimal digits.
  public var isOfMintedForm: Bool {
    let digits = description.utf8.suffix(Self.digitCount)
    return digits.count == Self.digitCount && digits.allSatisfy(\.isLowercaseHexDigit)
      && Self.prefixes.contains(String(description.dropLast(Self.digitCount)))
  }

  private static let prefixes = Set(ItemType.known.map(\.idPrefix)).subtracting([""])
    .union([ItemType.moreIDPrefix])

  private static func isAllowed(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    default: false
    }
  }
}

/// Which rule of an item's id is broken.
public enum ItemIDError: Error, Equatable, Sendable {
  /// Over `ItemID.lengthMax`; `length` in code points.
  case tooLong(length: Int)
  /// Empty, or with a character that ids do not have.
  case otherCharacters
  /// The id of such an item begins with `expected`.
  case otherPrefix(expected: String)
}
