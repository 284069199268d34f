public import Conversations
internal import PostgreSQL
public import Repository

extension PostgreSQLStore {
  /// Changes a conversation's set. The former one is kept where the settings say so.
  public func changeMetadata(
    of id: ConversationID, in project: ProjectID, by change: MetadataChange,
    if precondition: Precondition, for author: ChangeAuthor
  ) async throws(RepositoryError) -> Conversation {
    let key = ConversationKey(id, in: project)
    return try await write(
      resources: [.conversation(key)],
      ask: { $0.conversations.insert(key) },
      decide: { found, changes throws(RepositoryError) in
        try found.change(id, in: project, by: change, if: precondition, for: author, &changes)
      })
  }

  /// Gives a conversation a set again that it had before.
  public func restoreMetadata(
    _ version: Int64, of id: ConversationID, in project: ProjectID, if precondition: Precondition,
    for author: ChangeAuthor
  ) async throws(RepositoryError) -> Conversation {
    let key = ConversationKey(id, in: project)
    return try await write(
      resources: [.conversation(key)],
      ask: { questions in
        questions.conversations.insert(key)
        let call = HistoryStatements.find.call {
          $0.add(key.project)
          $0.add(key.id)
          $0.add(version)
        }
        questions.others.append((questions.request, call))
      },
      decide: { found, changes throws(RepositoryError) in
        guard found.conversations[key] != nil else { throw .conversationNotFound }
        guard found.own.count == 1 else {
          throw .metadataVersion(.notFound(id: "\(version)"))
        }
        guard let metadata = found.own.withBytes(0, 0, { Metadata(document: $0) }) else {
          throw .metadataVersion(.unreadable)
        }
        return try found.change(
          id, in: project, by: .replace(with: metadata), if: precondition, for: author, &changes)
      })
  }

  /// Reads a page of the sets that a conversation had before.
  public func metadataHistory(
    _ query: MetadataHistoryQuery, of id: ConversationID, in project: ProjectID
  ) async throws(RepositoryError) -> MetadataHistoryPage {
    try await self.query { session throws(RepositoryError) in
      try session.inSnapshot { session throws(RepositoryError) in
        try session.metadataHistory(query, of: ConversationKey(id, in: project))
      }
    }
  }

  /// Forgets former sets that are too old, in small steps between which other writes run.
  public func forgetOldMetadata() async throws(RepositoryError) {
    guard settings.shared.keepsHistory else { return }
    let oldest = settings.shared.oldestVersionKept(now: try await databaseSeconds())
    try await forget(
      OldRows(
        table: "metadata_history", key: ["project", "conversation", "version"], time: "version",
        before: oldest))
  }
}

extension Found {
  /// Changes the set of a conversation, and keeps the former one where the settings say so.
  fileprivate func change(
    _ id: ConversationID, in project: ProjectID, by change: MetadataChange,
    if precondition: Precondition, for author: ChangeAuthor, _ changes: inout Changes
  ) throws(RepositoryError) -> Conversation {
    let key = ConversationKey(id, in: project)
    guard let stored = conversations[key] else { throw .conversationNotFound }
    let metadata: Metadata
    do throws(ChangeRefusal) {
      metadata = try change.decided(on: stored.metadata, of: id, if: precondition)
    } catch {
      throw RepositoryError(error, of: id)
    }
    if settings.keeps(stored.metadata, replacedBy: metadata) {
      changes.keepSet(of: key, replacedBy: author)
    }
    changes.replace(stored.metadata, by: metadata, of: key)
    return Conversation(id: id, metadata: metadata)
  }
}

extension QuerySession {
  /// - Throws: `.conversationNotFound`, `.queryTimeout`.
  fileprivate func metadataHistory(
    _ query: MetadataHistoryQuery, of key: ConversationKey
  ) throws(RepositoryError) -> MetadataHistoryPage {
    // Without numbers the statement finds nothing.
    let (first, last) = query.numbers.map { ($0.lowerBound, $0.upperBound) } ?? (1, 0)
    let direction: WalkDirection = query.order == .ascending ? .up : .down
    let results = try run([
      HistoryStatements.findConversation.call {
        $0.add(key.project)
        $0.add(key.id)
      },
      HistoryStatements.list(direction).call {
        $0.add(key.project)
        $0.add(key.id)
        $0.add(first)
        $0.add(last)
        $0.add(Int64(query.limit) + 1)
      },
    ])
    guard results[0].bool(0, 0) else { throw .conversationNotFound }
    return MetadataHistoryPage(results[1], limit: query.limit)
  }
}

extension MetadataHistoryPage {
  /// - Parameter rows: One more than a page has, if there are.
  fileprivate init(_ rows: Rows, limit: Int) {
    self.init()
    hasMore = rows.count > limit
    for row in 0..<min(rows.count, limit) {
      guard let metadata = rows.withBytes(row, 1, { Metadata(document: $0) }) else {
        unreadableCount += 1
        continue
      }
      let author = ChangeAuthor(
        keyName: rows.isNull(row, 2) ? nil : rows.text(row, 2), requestID: rows.text(row, 3))
      versions.append(
        MetadataVersion(number: rows.int64(row, 0), metadata: metadata, author: author))
    }
  }
}
