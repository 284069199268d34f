internal import Conversations
internal import Repository
internal import SQLite

extension QueryReader {
  /// Reads a page of an export, as of one moment.
  ///
  /// - Parameters:
  ///   - place: Where the page before ended; nil for the first.
  ///   - bytesMax: How large the page is, about.
  ///   - isOver: Asked again and again; true ends the page.
  /// - Throws: `.queryTimeout` when nothing was found by then.
  func exportPage(
    _ query: ConversationQuery, from place: ExportPlace?, in project: ProjectID,
    bytesMax: Int = ExportPage.bytesMax, isOver: () -> Bool
  ) throws(RepositoryError) -> ExportPage {
    var builder = ExportPage.Builder(bytesMax: bytesMax)
    do throws(RepositoryError) {
      try inSnapshot { () throws(RepositoryError) in
        try fill(&builder, query, from: place, in: project, isOver: isOver)
      }
    } catch {
      guard error == .queryTimeout, !builder.page.records.isEmpty else { throw error }
      builder.endBefore()
    }
    return builder.page
  }

  private func fill(
    _ builder: inout ExportPage.Builder, _ query: ConversationQuery, from place: ExportPlace?,
    in project: ProjectID, isOver: () -> Bool
  ) throws(RepositoryError) {
    if let place, let last = place.last,
      let number = try number(of: place.id, in: project),
      try !add(number, after: last, in: project, to: &builder, isOver: isOver)
    {
      return
    }
    var query = query
    query.orderBy = .createdAt
    query.order = .ascending
    query.after = place.map { .conversation($0.id) }
    query.before = nil
    try walk(query, in: project, isOver: isOver) { number throws(RepositoryError) in
      try add(number, after: nil, in: project, to: &builder, isOver: isOver)
    }
  }

  /// - Returns: nil when it was deleted since.
  private func number(
    of id: ConversationID, in project: ProjectID
  ) throws(RepositoryError) -> Int64? {
    do {
      return try itemPages.numbers.conversation(id, in: project)
    } catch .conversationNotFound {
      return nil
    }
  }

  /// Adds a conversation to a page.
  ///
  /// - Parameter last: The item after which its items are added; nil for all of them.
  /// - Returns: False when the page is full.
  private func add(
    _ number: Int64, after last: ExportPlace.Item?, in project: ProjectID,
    to builder: inout ExportPage.Builder, isOver: () -> Bool
  ) throws(RepositoryError) -> Bool {
    let row = try rethrowing { () throws(SQLiteError) in
      try conversation(number, in: project)
    }
    let activity = try rethrowing { () throws(SQLiteError) in
      try self.activity.activity(of: number)
    }
    guard case .readable(let conversation) = row else {
      if case .unreadable(let text) = row { builder.leaveOut(text) }
      return true
    }
    guard
      builder.begin(
        conversation, lastActivityMicroseconds: activity?.lastMicroseconds ?? 0,
        afterItem: last?.id)
    else { return false }
    var hasRoom = true
    if activity?.itemCount != 0 {
      try itemRecords.forEach(of: number, after: last?.position ?? 0) {
        record, itemNumber throws(RepositoryError) in
        if isOver() { throw .queryTimeout }
        guard let record else {
          builder.leaveOutItem()
          return true
        }
        hasRoom = builder.add(record, position: itemNumber)
        return hasRoom
      }
    }
    if hasRoom { builder.end() }
    return hasRoom
  }
}
