internal import Conversations
internal import Repository
internal import SQLite

/// Reads pages of items, on a read-only connection, inside its read transaction.
///
/// A page is a range of numbers of one conversation in one index, so it costs the same at every place.
final class ItemPages {
  let numbers: RowNumbers
  private let selectAscending: Statement
  private let selectDescending: Statement

  init(_ connection: borrowing Connection) throws(SQLiteError) {
    numbers = try RowNumbers(connection)
    selectAscending = try connection.prepare(
      """
      SELECT id, type, fields FROM items INDEXED BY items_by_conversation
      WHERE conversation = :conversation AND number BETWEEN :first AND :last ORDER BY number
      """)
    selectDescending = try connection.prepare(
      """
      SELECT id, type, fields FROM items INDEXED BY items_by_conversation
      WHERE conversation = :conversation AND number BETWEEN :first AND :last ORDER BY number DESC
      """)
  }

  /// - Parameter isOver: Asked again and again; true ends the query.
  /// - Throws: `.conversationNotFound`, `.item`, `.queryTimeout`.
  func page(
    _ query: ItemQuery, of id: ConversationID, in project: ProjectID, isOver: () -> Bool
  ) throws(RepositoryError) -> ItemPage {
    let conversation = try numbers.conversation(id, in: project)
    let after = try number(of: query.after, .after, conversation, project)
    let before = try number(of: query.before, .before, conversation, project)
    let isAscending = query.order == .ascending
    let above = isAscending ? after : before
    let below = isAscending ? before : after
    let first = above.map { $0 + 1 } ?? 1
    let last = below.map { $0 - 1 } ?? .max
    var page =
      first <= last
      ? try isAscending != query.isBackwards
        ? fill(selectAscending, conversation, first...last, query.limit, isOver)
        : fill(selectDescending, conversation, first...last, query.limit, isOver)
      : ItemPage()
    if query.isBackwards { page.items.reverse() }
    return page
  }

  /// What all statements have done since they were compiled.
  var work: StatementWork { numbers.work + selectAscending.work + selectDescending.work }

  private func fill(
    _ select: borrowing Statement, _ conversation: Int64, _ numbers: ClosedRange<Int64>,
    _ limit: Int, _ isOver: () -> Bool
  ) throws(RepositoryError) -> ItemPage {
    defer { select.reset() }
    select.bind(":conversation", conversation)
    select.bind(":first", numbers.lowerBound)
    select.bind(":last", numbers.upperBound)
    var page = ItemPage()
    var bytes = ItemPage.envelopeBytesMax
    while try rethrowing({ () throws(SQLiteError) in try select.step() }) {
      if isOver() { throw .queryTimeout }
      guard let item = Item(row: select) else {
        page.unreadableCount += 1
        continue
      }
      bytes += ItemPage.bytes(of: item)
      let isFull = page.items.count == limit || bytes > ItemPage.bytesMax
      if isFull, !page.items.isEmpty {
        page.hasMore = true
        break
      }
      page.items.append(item)
    }
    return page
  }

  private func number(
    of item: String?, _ cursor: ListCursor, _ conversation: Int64, _ project: ProjectID
  ) throws(RepositoryError) -> Int64? {
    guard let item else { return nil }
    guard let number = try numbers.item(item, of: conversation, in: project) else {
      throw .item(.cursorNotFound(cursor, id: item))
    }
    return number
  }
}
