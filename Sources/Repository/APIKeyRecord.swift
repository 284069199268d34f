public import Conversations

/// An API key as it is stored; the key itself is nowhere. Times are Unix seconds.
public struct APIKeyRecord: Sendable {
  /// Unique among the keys of its project that are not revoked.
  public var name: String
  /// The name of its project.
  public var project: String
  /// What it may do.
  public var rights: APIKeyRights
  /// When it was made.
  public var createdAt: Int64
  /// From when on it does not count any more; nil for never.
  public var expiresAt: Int64?
  /// When it was last used, a minute late at most; nil for never.
  public var lastUsedAt: Int64?
  /// Whether it was revoked.
  public var isRevoked: Bool
  /// The beginning of the key.
  public var firstCharacters: String
  /// How many requests it may send in a minute, 0 for any number; nil where the server says so for all
  /// keys.
  public var requestsPerMinute: Int?

  /// - Parameters:
  ///   - name: Unique among the keys of its project that are not revoked.
  ///   - project: The name of its project.
  ///   - rights: What it may do.
  ///   - createdAt: When it was made.
  ///   - expiresAt: From when on it does not count any more; nil for never.
  ///   - lastUsedAt: When it was last used; nil for never.
  ///   - isRevoked: Whether it was revoked.
  ///   - firstCharacters: The beginning of the key.
  ///   - requestsPerMinute: How many requests it may send in a minute; nil where the server says so for
  ///     all keys.
  public init(
    name: String, project: String, rights: APIKeyRights, createdAt: Int64, expiresAt: Int64?,
    lastUsedAt: Int64?, isRevoked: Bool, firstCharacters: String,
    requestsPerMinute: Int?
  ) {
    self.name = name
    self.project = project
    self.rights = rights
    self.createdAt = createdAt
    self.expiresAt = expiresAt
    self.lastUsedAt = lastUsedAt
    self.isRevoked = isRevoked
    self.firstCharacters = firstCharacters
    self.requestsPerMinute = requestsPerMinute
  }
}

extension APIKeyRights {
  /// The rights as both engines store them.
  public init(isReadOnly: Bool, isAdmin: Bool) {
    self = isReadOnly ? .readOnly : isAdmin ? .admin : .readWrite
  }
}

extension APIKey {
  /// A new key, which nobody can predict.
  public static func random() -> APIKey {
    // Boxed: thread sanitizer looks at the address of a value that has no bytes.
    var random: any RandomNumberGenerator = SystemRandomNumberGenerator()
    return APIKey(using: &random)
  }
}
