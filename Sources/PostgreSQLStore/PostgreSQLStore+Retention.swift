public import Conversations
internal import PostgreSQL
public import Repository

extension PostgreSQLStore {
  /// Deletes those of some conversations that are chosen, each looked at under the lock under which it
  /// is deleted. What another server has deleted meanwhile is not counted.
  ///
  /// - Parameter isChosen: Gets a conversation with its activity, and the moment in Unix microseconds
  ///   by the clock of the database.
  /// - Returns: How many were deleted.
  public func deleteConversations(
    _ ids: [ConversationID], in project: ProjectID,
    where isChosen: @escaping @Sendable (ListedConversation, _ now: Int64) -> Bool
  ) async throws(RepositoryError) -> Int {
    let keys = ids.map { ConversationKey($0, in: project) }
    return try await write(
      resources: keys.map { .conversation($0) },
      ask: { questions in for key in keys { questions.conversations.insert(key) } },
      decide: { found, changes in
        var count = 0
        for (id, key) in zip(ids, keys) {
          guard let stored = found.conversations[key], let metadata = stored.metadata else {
            continue
          }
          let conversation = Conversation(id: id, metadata: metadata)
          guard isChosen(ListedConversation(conversation, activity: stored.activity), found.now)
          else { continue }
          changes.delete(key)
          count += 1
        }
        return count
      })
  }
}
