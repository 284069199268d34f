public import Conversations
public import Repository

extension SQLiteStore {
  /// Reads a page of an export, as of one moment, on a thread of its own.
  ///
  /// - Parameter place: Where the page before ended; nil for the first.
  /// - Throws: `.queryTimeout` when nothing was found by the deadline.
  public func exportPage(
    _ query: ConversationQuery, from place: ExportPlace?, in project: ProjectID
  ) async throws(RepositoryError) -> ExportPage {
    try await queries.run { reader, isOver throws(RepositoryError) in
      try reader.exportPage(query, from: place, in: project, isOver: isOver)
    }
  }

  /// Stores the conversations of an export, all of them in one transaction.
  ///
  /// - Parameter mintsIDs: Whether each becomes a new conversation with a new id.
  /// - Returns: What became of each.
  /// - Throws: `.laterThanNow`; nothing is stored then.
  public func importRecords(
    _ groups: [ProjectRecords], mintsIDs: Bool
  ) async throws(RepositoryError) -> [ImportOutcome] {
    let bytes = groups.reduce(0) { $1.records.reduce($0) { $0 + $1.byteCount } }
    return try await writes.write(bytes: bytes) { writer throws(RepositoryError) in
      try writer.importRecords(groups, mintsIDs: mintsIDs)
    }
  }
}
