/// What a client may do, by the API key that it showed.
public struct Access: Equatable, Sendable {
  /// Everything outside of it is unknown to the client.
  public let project: ProjectID
  /// The project's name.
  public let projectName: String
  /// What the client may do in the project.
  public let rights: APIKeyRights
  /// The number under which the database knows the key; 0 where no key was needed.
  public let keyNumber: Int64
  /// The key's name; nil where no key was needed.
  public let keyName: String?
  /// How many requests the key may send in a minute, 0 for any number; nil where the server says so
  /// for all keys.
  public let requestsPerMinute: Int?

  /// Whether the client may change nothing.
  public var isReadOnly: Bool { rights == .readOnly }

  /// Whether no key was needed.
  public var isWithoutKey: Bool { keyNumber == Self.noKeyNumber }

  private static let noKeyNumber: Int64 = 0

  /// - Parameters:
  ///   - project: Everything outside of it is unknown to the client.
  ///   - projectName: The project's name.
  ///   - rights: What the client may do in the project.
  ///   - keyNumber: The number under which the database knows the key.
  ///   - keyName: The key's name.
  ///   - requestsPerMinute: How many requests the key may send in a minute; nil where the server says so
  ///     for all keys.
  public init(
    project: ProjectID, projectName: String, rights: APIKeyRights, keyNumber: Int64,
    keyName: String?, requestsPerMinute: Int? = nil
  ) {
    self.project = project
    self.projectName = projectName
    self.rights = rights
    self.keyNumber = keyNumber
    self.keyName = keyName
    self.requestsPerMinute = requestsPerMinute
  }

  /// All of the default project, for as long as no key was ever made.
  public static let withoutKey = Access(
    project: .default, projectName: "default", rights: .readWrite, keyNumber: noKeyNumber,
    keyName: nil)
}
