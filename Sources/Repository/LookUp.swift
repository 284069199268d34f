public import Conversations

/// What is looked up before a request is answered: who sent it, and the one thing that it is about.
public struct LookUp: Sendable {
  /// What is read beside the key.
  public enum Subject: Sendable {
    /// Nothing.
    case nothing
    /// A conversation.
    case conversation(ConversationID)
    /// An item of a conversation; its id is any text.
    case item(String, of: ConversationID)
    /// What is known of the key itself.
    case apiKey
  }

  /// The API key that the client shows, whole; nil when it shows none.
  public var key: String?
  /// Whether a key is needed also before the first one was created.
  public var requiresKey: Bool
  /// What is read, in the project of the key, if the key counts.
  public var subject: Subject

  /// - Parameters:
  ///   - key: The API key that the client shows, whole; nil when it shows none.
  ///   - requiresKey: Whether a key is needed also before the first one was created.
  ///   - subject: What is read, in the project of the key, if the key counts.
  public init(key: String?, requiresKey: Bool = false, subject: Subject = .nothing) {
    self.key = key
    self.requiresKey = requiresKey
    self.subject = subject
  }
}

/// The result of a look-up, or how to wait for it.
public enum Looked: Sendable {
  /// The result is there.
  case ready(Result<Finding, RepositoryError>)
  /// Brings the result.
  case later(@Sendable () async -> Result<Finding, RepositoryError>)

  /// The result, when it is there.
  public var result: Result<Finding, RepositoryError> {
    get async {
      switch self {
      case .ready(let result): result
      case .later(let look): await look()
      }
    }
  }
}

/// What a look-up found.
public struct Finding: Sendable {
  /// What was read.
  public enum Value: Sendable {
    /// Nothing was to be read, or nobody may read it.
    case nothing
    /// The conversation.
    case conversation(Conversation)
    /// The item.
    case item(Item)
    /// What is known of the key.
    case apiKey(APIKeyRecord)
  }

  /// What the client may do: `.withoutKey` where none is needed; nil when a key is needed and there is
  /// none, or it is unknown, revoked or expired.
  public let access: Access?
  /// What was read. It fails with `.conversationNotFound`, `.unreadableConversation`, `.item`,
  /// `.unreadableItem` and what the engine reports.
  public let value: Result<Value, RepositoryError>

  /// - Parameters:
  ///   - access: What the client may do; nil when nothing.
  ///   - value: What was read.
  public init(access: Access?, value: Result<Value, RepositoryError>) {
    self.access = access
    self.value = value
  }
}
