public import Conversations
public import Repository

extension SQLiteStore {
  /// Adds items to a conversation, in this order: all of them, or none.
  ///
  /// - Parameter key: A repeat with it adds nothing, and is answered with what is left of the items that
  ///   the first request added; nil for a request without one.
  /// - Throws: `.conversationNotFound`, `.idempotencyKeyReused`, `.item`, `.unreadableItem`.
  public func appendItems(
    _ items: [AddedItem], to id: ConversationID, in project: ProjectID, once key: IdempotencyKey?
  ) async throws(RepositoryError) -> AppendedItems {
    try await writes.write(bytes: items.byteCount) { writer throws(RepositoryError) in
      try writer.appendItems(items, to: id, in: project, once: key)
    }
  }

  /// Deletes an item.
  ///
  /// - Returns: The conversation that had it.
  /// - Throws: `.conversationNotFound`, `.item`.
  public func deleteItem(
    _ item: String, of id: ConversationID, in project: ProjectID
  ) async throws(RepositoryError) -> Conversation {
    try await writes.write { writer throws(RepositoryError) in
      try writer.deleteItem(item, of: id, in: project)
    }
  }

  /// Reads a page of a conversation's items, as of one moment, on a thread of its own.
  ///
  /// - Throws: `.conversationNotFound`, `.item`, `.queryTimeout`.
  public func items(
    _ query: ItemQuery, of id: ConversationID, in project: ProjectID
  ) async throws(RepositoryError) -> ItemPage {
    try await queries.run { reader, isOver throws(RepositoryError) in
      try reader.items(query, of: id, in: project, isOver: isOver)
    }
  }
}
