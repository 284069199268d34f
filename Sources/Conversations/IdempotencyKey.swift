/// A client's name for one request, by which a repeat of it is known
/// (draft-ietf-httpapi-idempotency-key-header), and what was requested under that name.
public struct IdempotencyKey: Equatable, Sendable {
  /// The most characters that a key may have.
  public static let lengthMax = 255

  /// The key, as the client sent it.
  public let text: String
  /// The SHA-256 of the request's bytes, 64 lower-case hexadecimal digits.
  public let requestHash: String

  /// - Parameters:
  ///   - text: 1 to 255 characters of visible ASCII.
  ///   - request: The bytes that a repeat must have too.
  /// - Returns: nil when the key is not of that form.
  public init?(_ text: String, request: [UInt8]) {
    guard (1...Self.lengthMax).contains(text.utf8.count),
      text.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
    else { return nil }
    self.text = text
    requestHash = SHA256.hexadecimal(of: request.span)
  }
}
