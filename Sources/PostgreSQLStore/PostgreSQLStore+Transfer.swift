public import Conversations
internal import PostgreSQL
public import Repository

extension PostgreSQLStore {
  /// Reads a page of an export.
  public func exportPage(
    _ query: ConversationQuery, from place: ExportPlace?, in project: ProjectID
  ) async throws(RepositoryError) -> ExportPage {
    try await self.query { session throws(RepositoryError) in
      try ExportReader(session: session, project: project).page(query, from: place)
    }
  }

  /// Stores the conversations of an export, all of them in one transaction.
  public func importRecords(
    _ records: [ConversationRecord], mintsIDs: Bool, in project: ProjectID
  ) async throws(RepositoryError) -> [ImportOutcome] {
    try await write(
      resources: [.imports], bytes: records.reduce(0) { $0 + $1.byteCount },
      ask: { questions in
        questions.stopsOtherLanes = true
        for call in RecordImport.calls(records, in: project) {
          questions.others.append((questions.request, call))
        }
      },
      decide: { found, changes throws(RepositoryError) in
        try records.requirePast(changes.now)
        let newest = [found.newestID, changes.newestID].compactMap(\.self).max()
        var records = RecordImport(
          records, mintsIDs: mintsIDs, in: project, found.allOwn, newest: newest)
        return records.run(&changes)
      })
  }
}
