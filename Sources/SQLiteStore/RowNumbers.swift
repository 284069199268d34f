internal import Conversations
internal import Repository
internal import SQLite

/// Finds the numbers of rows by the ids that clients know, on one connection.
final class RowNumbers {
  private let selectConversation: Statement
  private let selectItem: Statement

  init(_ connection: borrowing Connection) throws(SQLiteError) {
    selectConversation = try connection.prepare(
      "SELECT number FROM conversations WHERE id = :id AND project = :project")
    selectItem = try connection.prepare(
      """
      SELECT number FROM items INDEXED BY items_by_id
      WHERE project = :project AND id = :id AND conversation = :conversation
      """)
  }

  /// - Throws: `.conversationNotFound`.
  func conversation(
    _ id: ConversationID, in project: ProjectID
  ) throws(RepositoryError) -> Int64 {
    defer { selectConversation.reset() }
    let isThere = try rethrowing { () throws(SQLiteError) in
      try selectConversation.bind(":id", id.description)
      selectConversation.bind(":project", project.number)
      return try selectConversation.step()
    }
    guard isThere else { throw .conversationNotFound }
    return selectConversation.integer(0)
  }

  /// What all statements have done since they were compiled.
  var work: StatementWork { selectConversation.work + selectItem.work }

  /// - Returns: nil when the conversation has no such item.
  func item(
    _ id: String, of conversation: Int64, in project: ProjectID
  ) throws(RepositoryError) -> Int64? {
    defer { selectItem.reset() }
    return try rethrowing { () throws(SQLiteError) in
      selectItem.bind(":project", project.number)
      try selectItem.bind(":id", id)
      selectItem.bind(":conversation", conversation)
      return try selectItem.step() ? selectItem.integer(0) : nil
    }
  }
}
