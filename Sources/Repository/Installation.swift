public import Conversations

/// What a database holds beside conversations: what a copy of all of it begins with.
public struct Installation: Equatable, Sendable {
  /// A project.
  public struct Project: Equatable, Sendable {
    /// Its number.
    public let id: ProjectID
    /// Its name.
    public let name: String

    /// - Parameters:
    ///   - id: Its number.
    ///   - name: Its name.
    public init(_ id: ProjectID, name: String) {
      self.id = id
      self.name = name
    }
  }

  /// An API key as it is stored: not the key itself, only its hash.
  public struct Key: Equatable, Sendable {
    /// Its number.
    public let number: Int64
    /// Its project.
    public let project: ProjectID
    /// Its name.
    public let name: String
    /// The SHA-256 of the key, in 64 lower-case hexadecimal digits.
    public let hash: String
    /// The beginning of the key.
    public let firstCharacters: String
    /// What it may do.
    public let rights: APIKeyRights
    /// When it was made, in Unix seconds as all times here.
    public let createdAt: Int64
    /// From when on it does not count any more; nil for never.
    public let expiresAt: Int64?
    /// When it was last used; nil for never.
    public internal(set) var lastUsedAt: Int64?
    /// When it was revoked; nil for never.
    public let revokedAt: Int64?
    /// How many requests it may send in a minute; nil where the server says so for all keys.
    public let requestsPerMinute: Int64?

    /// - Parameters:
    ///   - number: Its number.
    ///   - project: Its project.
    ///   - name: Its name.
    ///   - hash: The SHA-256 of the key, in 64 lower-case hexadecimal digits.
    ///   - firstCharacters: The beginning of the key.
    ///   - rights: What it may do.
    ///   - createdAt: When it was made.
    ///   - expiresAt: From when on it does not count any more; nil for never.
    ///   - lastUsedAt: When it was last used; nil for never.
    ///   - revokedAt: When it was revoked; nil for never.
    ///   - requestsPerMinute: How many requests it may send in a minute.
    public init(
      number: Int64, project: ProjectID, name: String, hash: String, firstCharacters: String,
      rights: APIKeyRights, createdAt: Int64, expiresAt: Int64?, lastUsedAt: Int64?,
      revokedAt: Int64?, requestsPerMinute: Int64?
    ) {
      self.number = number
      self.project = project
      self.name = name
      self.hash = hash
      self.firstCharacters = firstCharacters
      self.rights = rights
      self.createdAt = createdAt
      self.expiresAt = expiresAt
      self.lastUsedAt = lastUsedAt
      self.revokedAt = revokedAt
      self.requestsPerMinute = requestsPerMinute
    }
  }

  /// The projects, by their numbers.
  public var projects: [Project]
  /// The keys, by their numbers.
  public var keys: [Key]

  /// - Parameters:
  ///   - projects: The projects, by their numbers.
  ///   - keys: The keys, by their numbers.
  public init(projects: [Project], keys: [Key]) {
    self.projects = projects
    self.keys = keys
  }

  /// Whether both have the same, apart from when keys were last used.
  public func isSame(as other: Installation) -> Bool { withoutUses == other.withoutUses }

  private var withoutUses: Installation {
    var other = self
    for index in other.keys.indices { other.keys[index].lastUsedAt = nil }
    return other
  }

  /// What of this another database lacks that is to become the same.
  ///
  /// - Returns: nil when that has something else.
  public func missing(in other: Installation) -> Installation? {
    let (own, others) = (withoutUses, other.withoutUses)
    guard others.projects.allSatisfy(own.projects.contains),
      others.keys.allSatisfy(own.keys.contains)
    else { return nil }
    return Installation(
      projects: projects.filter { !other.projects.contains($0) },
      keys: keys.filter { key in !other.keys.contains { $0.number == key.number } })
  }
}
