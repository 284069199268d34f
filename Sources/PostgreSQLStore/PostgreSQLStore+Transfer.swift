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
    _ groups: [ProjectRecords], mintsIDs: Bool
  ) async throws(RepositoryError) -> [ImportOutcome] {
    try await write(
      resources: [.imports],
      bytes: groups.reduce(0) { $1.records.reduce($0) { $0 + $1.byteCount } },
      ask: { questions in
        questions.stopsOtherLanes = true
        for group in groups {
          for call in RecordImport.calls(group.records, in: group.project) {
            questions.others.append((questions.request, call))
          }
        }
      },
      decide: { found, changes throws(RepositoryError) in
        try groups.flatMap(\.records).requirePast(changes.now)
        var outcomes: [ImportOutcome] = []
        let count = RecordImport.callCount
        for (index, group) in groups.enumerated() {
          let newest = [found.newestID, changes.newestID].compactMap(\.self).max()
          var records = RecordImport(
            group.records, mintsIDs: mintsIDs, in: group.project,
            Array(found.allOwn[count * index..<count * (index + 1)]), newest: newest)
          outcomes += records.run(&changes)
        }
        return outcomes
      })
  }
}
