public import Conversations
public import Repository
internal import SQLite

extension Writer {
  /// Deletes those of some conversations that are chosen.
  ///
  /// - Returns: How many.
  func deleteConversations(
    _ ids: [ConversationID], in project: ProjectID,
    where isChosen: (ListedConversation, _ now: Int64) -> Bool
  ) throws(RepositoryError) -> Int {
    let now = now() * 1_000_000
    var chosen: [Int64] = []
    for id in ids {
      guard let (number, listed) = try listed(id, in: project), isChosen(listed, now) else {
        continue
      }
      chosen.append(number)
    }
    try rethrowing { () throws(SQLiteError) in
      for number in chosen { try delete(number) }
    }
    return chosen.count
  }

  /// - Returns: nil for one that is not there, or cannot be shown.
  private func listed(
    _ id: ConversationID, in project: ProjectID
  ) throws(RepositoryError) -> (Int64, ListedConversation)? {
    let number: Int64
    do {
      number = try numbers.conversation(id, in: project)
    } catch .conversationNotFound {
      return nil
    }
    return try rethrowing { () throws(SQLiteError) in
      guard let metadata = try storedMetadata(number) else { return nil }
      let conversation = Conversation(id: id, metadata: metadata)
      return (number, ListedConversation(conversation, activity: try activity.activity(of: number)))
    }
  }
}

extension SQLiteStore {
  /// Deletes those of some conversations that are chosen, each looked at in the transaction that
  /// deletes it.
  ///
  /// - Parameter isChosen: Gets a conversation with its activity, and the moment in Unix microseconds.
  /// - Returns: How many were deleted.
  public func deleteConversations(
    _ ids: [ConversationID], in project: ProjectID,
    where isChosen: @escaping @Sendable (ListedConversation, _ now: Int64) -> Bool
  ) async throws(RepositoryError) -> Int {
    try await writes.write { writer throws(RepositoryError) in
      try writer.deleteConversations(ids, in: project, where: isChosen)
    }
  }
}
