internal import Conversations
internal import Repository
internal import SQLite

/// Reads pages of the sets that a conversation had before, on a read-only connection, inside its read
/// transaction.
///
/// A page is a range of numbers of one conversation, so it costs the same at every place.
final class HistoryPages {
  private let numbers: RowNumbers
  private let sets: FormerSets
  private let selectAscending: Statement
  private let selectDescending: Statement

  /// - Parameter numbers: Of the same connection.
  init(_ connection: borrowing Connection, numbers: RowNumbers) throws(SQLiteError) {
    self.numbers = numbers
    sets = try FormerSets(connection)
    selectAscending = try connection.prepare(
      """
      SELECT version, replaced_by, request_id FROM metadata_history
      WHERE conversation = :conversation AND version BETWEEN :first AND :last ORDER BY version
      """)
    selectDescending = try connection.prepare(
      """
      SELECT version, replaced_by, request_id FROM metadata_history
      WHERE conversation = :conversation AND version BETWEEN :first AND :last
      ORDER BY version DESC
      """)
  }

  /// - Parameter isOver: Asked again and again; true ends the query.
  /// - Throws: `.conversationNotFound`, `.queryTimeout`.
  func page(
    _ query: MetadataHistoryQuery, of id: ConversationID, in project: ProjectID,
    isOver: () -> Bool
  ) throws(RepositoryError) -> MetadataHistoryPage {
    let conversation = try numbers.conversation(id, in: project)
    guard let range = query.numbers else { return MetadataHistoryPage() }
    return try query.order == .ascending
      ? fill(selectAscending, conversation, range, query.limit, isOver)
      : fill(selectDescending, conversation, range, query.limit, isOver)
  }

  private func fill(
    _ select: borrowing Statement, _ conversation: Int64, _ range: ClosedRange<Int64>,
    _ limit: Int, _ isOver: () -> Bool
  ) throws(RepositoryError) -> MetadataHistoryPage {
    defer { select.reset() }
    select.bind(":conversation", conversation)
    select.bind(":first", range.lowerBound)
    select.bind(":last", range.upperBound)
    var page = MetadataHistoryPage()
    while try rethrowing({ () throws(SQLiteError) in try select.step() }) {
      if isOver() { throw .queryTimeout }
      if page.versions.count == limit {
        page.hasMore = true
        break
      }
      let version = select.integer(0)
      let set = try rethrowing { () throws(SQLiteError) in
        try sets.set(version, of: conversation)
      }
      guard case .readable(let metadata) = set else {
        page.unreadableCount += 1
        continue
      }
      let author = ChangeAuthor(
        keyName: select.isNull(1) ? nil : select.repairedText(1),
        requestID: select.repairedText(2))
      page.versions.append(MetadataVersion(number: version, metadata: metadata, author: author))
    }
    return page
  }

  /// What its own statements have done since they were compiled.
  var work: StatementWork { sets.work + selectAscending.work + selectDescending.work }
}

extension QueryReader {
  /// Reads a page of the sets that a conversation had before, as of one moment.
  ///
  /// - Parameter isOver: Asked again and again; true ends the query.
  /// - Throws: `.conversationNotFound`, `.queryTimeout`.
  func metadataHistory(
    _ query: MetadataHistoryQuery, of id: ConversationID, in project: ProjectID,
    isOver: () -> Bool
  ) throws(RepositoryError) -> MetadataHistoryPage {
    try inSnapshot { () throws(RepositoryError) in
      try historyPages.page(query, of: id, in: project, isOver: isOver)
    }
  }
}
