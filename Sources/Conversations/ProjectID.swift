/// The tenant that a conversation belongs to: everything else is unknown to its clients.
public struct ProjectID: Hashable, Sendable {
  /// The number under which the database knows the project.
  public let number: Int64

  /// - Parameter number: The number under which the database knows the project.
  public init(number: Int64) {
    self.number = number
  }

  /// The project that every database has; clients are in it while there are no API keys.
  public static let `default` = ProjectID(number: 1)
}
