/// A secret by which a client is known: `sk-` and 43 characters of base64url, each drawn at random,
/// which are 258 bits; or one that somebody else has made.
public struct APIKey: Sendable {
  /// The whole key. Whoever makes it sees it once, and it is never stored.
  public let text: String
  /// How much of its beginning people see.
  private let shownCount: Int

  /// How long a secret may be that somebody else has made.
  public static let importedLengths = 32...200
  private static let prefix = "sk-"
  private static let digitCount = 43
  private static let digits = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

  /// Makes a new key.
  ///
  /// - Parameter generator: A source that nobody can predict.
  public init(using generator: inout some RandomNumberGenerator) {
    let secret = (0..<Self.digitCount).map { _ in
      Self.digits[Int.random(in: 0..<Self.digits.count, using: &generator)]
    }
    text = Self.prefix + String(decoding: secret, as: UTF8.self)
    shownCount = 7
  }

  /// Takes a secret that somebody else has made, who answers for that nobody can guess it.
  ///
  /// - Returns: nil for what is not 32 to 200 characters of visible ASCII.
  public init?(imported secret: String) {
    guard Self.importedLengths.contains(secret.utf8.count),
      secret.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
    else { return nil }
    text = secret
    shownCount = 4
  }

  /// The beginning of the key, by which people tell keys apart.
  public var firstCharacters: String { String(text.prefix(shownCount)) }

  /// What a database knows a key by: the SHA-256 of its text, 64 lower-case hexadecimal digits.
  ///
  /// It needs neither salt nor stretching, since nobody can try 2^256 keys. A look-up by it may tell
  /// by its time how far a hash agrees with a stored one, and from a hash no key can be found.
  public static func hash(of text: String) -> String {
    SHA256.hexadecimal(of: text.utf8Span.span)
  }
}
