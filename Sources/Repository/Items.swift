public import Conversations
internal import SQLite

extension Repository {
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

/// What an append added.
public struct AppendedItems: Sendable {
  /// In the order sent.
  public let items: [Item]
  /// Whether an earlier request added them, so that nothing new is stored.
  public let isReplay: Bool
}

/// Some of a conversation's items.
public struct ItemPage: Sendable {
  /// The most bytes of a page, unless it has one item alone.
  static let bytesMax = 8 << 20
  /// What stands around the items of a page, at most: `{"object":"list","data":[],"first_id":"",
  /// "has_more":false,"last_id":""}` with two ids.
  static let envelopeBytesMax = 72 + 2 * ItemID.lengthMax
  /// What stands around the id, the type and the fields of an item: `{"id":"","type":"",` instead of
  /// the fields' first brace, and a comma.
  static let itemFrameBytes = 19

  /// In the order asked for.
  public internal(set) var items: [Item] = []
  /// Whether there are more behind the last, or, where `before` alone was given, before the first.
  public internal(set) var hasMore = false
  /// How many were left out, since their rows cannot be shown.
  public internal(set) var unreadableCount = 0
}

extension [AddedItem] {
  /// How much is written, roughly.
  var byteCount: Int {
    reduce(0) { count, added in
      switch added {
      case .minted(let item), .item(let item): count + item.fields.count
      case .reference: count
      }
    }
  }
}
