/// The tenant that a conversation belongs to: everything else is unknown to its clients.
public struct ProjectID: Hashable, Sendable {
  /// The number under which the database knows the project.
  public let number: Int64

  /// - Parameter number: The number under which the database knows the project.
  public init(number: Int64) {
    self.number = number
  }

  /// The project that every database has, and the only one until API keys name others.
  public static let `default` = ProjectID(number: 1)
}
