extension MetadataChange {
  /// Decides what an update makes of a conversation, by what is stored of it: the rules that every engine
  /// keeps.
  ///
  /// - Parameters:
  ///   - stored: The set as it is stored; nil when what is stored cannot be shown.
  ///   - id: The conversation's.
  ///   - precondition: What its content must be.
  /// - Returns: The set that it has to have.
  /// - Throws: `.preconditionFailed`; then `.unreadable` when the result would depend on what cannot be
  ///   shown; then `.metadata` when it would break a rule.
  public func decided(
    on stored: Metadata?, of id: ConversationID, if precondition: Precondition
  ) throws(ChangeRefusal) -> Metadata {
    try precondition.require(stored, of: id)
    if stored == nil, case .merge = self { throw .unreadable }
    do {
      return try applied(to: stored ?? .empty)
    } catch {
      throw .metadata(error)
    }
  }
}

extension Precondition {
  /// Looks at what is stored of a conversation.
  ///
  /// - Parameters:
  ///   - stored: The set as it is stored; nil when what is stored cannot be shown.
  ///   - id: The conversation's.
  /// - Throws: `.preconditionFailed`.
  public func require(
    _ stored: @autoclosure () -> Metadata?, of id: ConversationID
  ) throws(ChangeRefusal) {
    do {
      try require(stored().map { Conversation(id: id, metadata: $0).contentHash })
    } catch {
      throw .preconditionFailed(error)
    }
  }
}

/// Why a conversation that is there is not changed.
public enum ChangeRefusal: Error, Equatable, Sendable {
  /// Its content is not what the request demands.
  case preconditionFailed(Precondition.Failure)
  /// The set would break a rule after the change.
  case metadata(MetadataError)
  /// The result would depend on what is stored and cannot be shown.
  case unreadable
}
