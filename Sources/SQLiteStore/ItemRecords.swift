internal import Conversations
internal import Repository
internal import SQLite

/// Reads the items of a conversation with their times, in their order, on one connection.
final class ItemRecords {
  private let select: Statement

  init(_ connection: borrowing Connection) throws(SQLiteError) {
    select = try connection.prepare(
      """
      SELECT id, type, fields, created_at, number FROM items INDEXED BY items_by_conversation
      WHERE conversation = :conversation AND number > :after ORDER BY number
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

  /// What the statement has done since it was compiled.
  var work: StatementWork { select.work }
}
