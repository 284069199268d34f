/// A conversation, as its clients see it.
public struct Conversation: Equatable, Sendable {
  /// Its public name, which also holds when it was created.
  public let id: ConversationID
  /// The pairs attached to it.
  public let metadata: Metadata

  /// - Parameters:
  ///   - id: Its public name.
  ///   - metadata: The pairs attached to it.
  public init(id: ConversationID, metadata: Metadata) {
    self.id = id
    self.metadata = metadata
  }

  /// When it was created, in Unix seconds.
  public var createdAt: Int64 { id.createdAt }
}
