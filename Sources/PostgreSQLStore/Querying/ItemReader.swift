internal import Conversations
internal import PostgreSQL
internal import Repository

/// Reads pages of items. A page is a range of positions of one conversation, so it costs the same at
/// every place.
struct ItemReader {
  let session: QuerySession
  let project: ProjectID

  /// Bytes of an item in a page beside its id, its type and its fields.
  private static let frameBytes = Int64(
    ItemPage.bytes(of: Item(id: ItemID("x")!, type: "", fields: [])) - 1)

  /// - Throws: `.conversationNotFound`, `.item`, `.queryTimeout`.
  func page(
    _ query: ItemQuery, of id: ConversationID
  ) throws(RepositoryError) -> ItemPage {
    try session.inSnapshot { session throws(RepositoryError) in
      try page(query, of: id, on: session)
    }
  }

  private func page(
    _ query: ItemQuery, of id: ConversationID, on session: QuerySession
  ) throws(RepositoryError) -> ItemPage {
    let places = try session.run([
      QueryStatements.findItemPlaces.call {
        $0.add(project.number)
        $0.add(id.bytes)
        $0.add(query.after.map(Self.possibleID))
        $0.add(query.before.map(Self.possibleID))
      }
    ])[0]
    guard places.count == 1 else { throw .conversationNotFound }
    let after = try position(places, 0, of: query.after, .after)
    let before = try position(places, 1, of: query.before, .before)
    let isAscending = query.order == .ascending
    let lower = isAscending ? after : before
    let upper = isAscending ? before : after
    let direction: WalkDirection = isAscending != query.isBackwards ? .up : .down
    let rows = try session.run([
      QueryStatements.listItems(direction).call {
        $0.add(project.number)
        $0.add(id.bytes)
        $0.add(lower ?? 0)
        $0.add(upper ?? .max)
        $0.add(Int64(query.limit) + 1)
        $0.add(Int64(ItemPage.bytesMax - ItemPage.envelopeBytesMax))
        $0.add(Self.frameBytes)
      }
    ])[0]
    var page = ItemPage()
    for row in 0..<rows.count {
      if rows.isNull(row, 2) {
        page.hasMore = true
        break
      }
      if let item = Item(rows, row, from: 0) {
        page.items.append(item)
      } else {
        page.unreadableCount += 1
      }
    }
    if query.isBackwards { page.items.reverse() }
    return page
  }

  private func position(
    _ places: Rows, _ column: Int, of item: String?, _ cursor: ListCursor
  ) throws(RepositoryError) -> Int64? {
    guard let item else { return nil }
    guard !places.isNull(0, column) else { throw .item(.cursorNotFound(cursor, id: item)) }
    return places.int64(0, column)
  }

  /// No item has an id with U+0000, which PostgreSQL does not take either.
  private static func possibleID(_ id: String) -> String {
    id.utf8.contains(0) ? "" : id
  }
}
