internal import Conversations
internal import Repository
internal import SQLite

/// Reads the items of a conversation with their times, in their order, on one connection.
final class ItemRecords {
  private let select: Statement
  private let selectLast: Statement

  init(_ connection: borrowing Connection) throws(SQLiteError) {
    select = try connection.prepare(
      """
      SELECT id, type, fields, created_at, number FROM items INDEXED BY items_by_conversation
      WHERE conversation = :conversation AND number > :after ORDER BY number
      """)
    selectLast = try connection.prepare(
      """
      SELECT id FROM items INDEXED BY items_by_conversation
      WHERE conversation = :conversation AND number <= :number ORDER BY number DESC LIMIT 1
      """)
  }

  /// Visits the items after a number.
  ///
  /// - Parameter visit: Gets an item, nil for one that cannot be shown, and its number. False ends the
  ///   walk.
  func forEach(
    of conversation: Int64, after number: Int64,
    _ visit: (ItemRecord?, Int64) throws(RepositoryError) -> Bool
  ) throws(RepositoryError) {
    defer { select.reset() }
    select.bind(":conversation", conversation)
    select.bind(":after", number)
    while try rethrowing({ () throws(SQLiteError) in try select.step() }) {
      let createdAt = select.integer(3)
      let record = Item(row: select).map { ItemRecord($0, createdAt: createdAt) }
      guard try visit(record, select.integer(4)) else { return }
    }
  }

  /// The last item up to a number; nil when there is none.
  func last(of conversation: Int64, through number: Int64) throws(SQLiteError) -> ItemID? {
    defer { selectLast.reset() }
    selectLast.bind(":conversation", conversation)
    selectLast.bind(":number", number)
    guard try selectLast.step() else { return nil }
    return selectLast.text(0).flatMap { ItemID($0) }
  }

  /// What all statements have done since they were compiled.
  var work: StatementWork { select.work + selectLast.work }
}
