public import Conversations

/// How much a project has.
public struct ProjectCount: Equatable, Sendable {
  /// The project's name.
  public let name: String
  /// How many conversations it has.
  public var conversations: Int64
  /// How many items they have.
  public var items: Int64

  /// - Parameters:
  ///   - name: The project's name.
  ///   - conversations: How many conversations it has.
  ///   - items: How many items they have.
  public init(name: String, conversations: Int64 = 0, items: Int64 = 0) {
    self.name = name
    self.conversations = conversations
    self.items = items
  }

  /// How many conversations are counted in one read, so that nothing is held up.
  public static let conversationsAtATime: Int64 = 10_000
}

/// A project and its name.
public struct NamedProject: Sendable {
  /// The project.
  public let id: ProjectID
  /// Its name.
  public let name: String

  /// - Parameters:
  ///   - id: The project.
  ///   - name: Its name.
  public init(id: ProjectID, name: String) {
    self.id = id
    self.name = name
  }
}
