/// What an API key is to be that is made.
public struct NewAPIKey: Sendable {
  /// How long a key may count at most; a century, since nobody can say "for ever" by a number.
  public static let lifetimeSecondsMax: Int64 = 100 * 365 * 86_400

  /// Its name.
  public let name: APIKeyName
  /// What it may do.
  public let rights: APIKeyRights
  /// The Unix second from which on it does not count; nil for never.
  public let expiresAt: Int64?
  /// How many requests it may send in a minute, 0 for any number; nil where the server says so for all
  /// keys.
  public let requestsPerMinute: Int?

  /// What the limit of a key may be.
  public static let requestsPerMinuteRange = 0...10_000_000

  /// - Parameters:
  ///   - name: Its name.
  ///   - rights: What it may do.
  ///   - expiresAt: The Unix second from which on it does not count; nil for never.
  ///   - requestsPerMinute: How many requests it may send in a minute, in `requestsPerMinuteRange`; nil
  ///     where the server says so for all keys.
  public init(
    name: APIKeyName, rights: APIKeyRights, expiresAt: Int64?, requestsPerMinute: Int? = nil
  ) {
    self.name = name
    self.rights = rights
    self.expiresAt = expiresAt
    self.requestsPerMinute = requestsPerMinute
  }
}

/// The name of an API key, for people: 1 to 64 code points, none of them a control character.
public struct APIKeyName: Sendable, CustomStringConvertible {
  /// The most code points.
  public static let lengthMax = 64

  /// The name as it was given, without normalisation.
  public let description: String

  /// - Throws: What is wrong with the text.
  public init(_ text: String) throws(APIKeyNameError) {
    let length = text.unicodeScalars.count
    guard length > 0 else { throw .empty }
    guard length <= Self.lengthMax else { throw .tooLong(length: length) }
    guard text.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control }) else {
      throw .containsControlCharacter
    }
    description = text
  }
}

/// What is wrong with the name of an API key.
public enum APIKeyNameError: Error, Equatable, Sendable {
  /// There are no characters.
  case empty
  /// More than `APIKeyName.lengthMax` code points.
  case tooLong(length: Int)
  /// A control character is in it.
  case containsControlCharacter
}
