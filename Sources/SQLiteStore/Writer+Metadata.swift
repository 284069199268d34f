public import Conversations
public import Repository
internal import SQLite

extension Writer {
  /// Changes the set. Rows that stay the same are not written again.
  ///
  /// - Throws: `.conversationNotFound`, `.preconditionFailed`, `.metadata`,
  ///   `.unreadableConversation`.
  func changeMetadata(
    of id: ConversationID, in project: ProjectID, by change: MetadataChange,
    if precondition: Precondition, for author: ChangeAuthor
  ) throws(RepositoryError) -> Conversation {
    let number = try numbers.conversation(id, in: project)
    let stored = try rethrowing { () throws(SQLiteError) in try storedMetadata(number) }
    let metadata: Metadata
    do {
      metadata = try change.decided(on: stored, of: id, if: precondition)
    } catch {
      throw RepositoryError(error, of: id)
    }
    if settings.keeps(stored, replacedBy: metadata) {
      try history.keepSet(of: number, replacedBy: author, now: creationClock.now())
    }
    try rethrowing { () throws(SQLiteError) in
      // A set with a row that cannot be shown is not worth comparing.
      if stored == nil { try deleteSet(of: number) }
      try replace(stored ?? .empty, by: metadata, number, project)
    }
    return Conversation(id: id, metadata: metadata)
  }

  /// Gives a conversation a set again that it had before.
  ///
  /// - Throws: `.conversationNotFound`, `.metadataVersion`, `.preconditionFailed`.
  func restoreMetadata(
    _ version: Int64, of id: ConversationID, in project: ProjectID, if precondition: Precondition,
    for author: ChangeAuthor
  ) throws(RepositoryError) -> Conversation {
    let number = try numbers.conversation(id, in: project)
    let metadata = try history.set(version, of: number)
    return try changeMetadata(
      of: id, in: project, by: .replace(with: metadata), if: precondition, for: author)
  }

  private func replace(
    _ stored: Metadata, by metadata: Metadata, _ number: Int64, _ project: ProjectID
  ) throws(SQLiteError) {
    let (removed, changed, added) = stored.difference(to: metadata)
    // What goes goes first: the set never has a 17th pair on the way.
    for key in removed { try deletePair(key, number) }
    for pair in changed { try update(pair, number) }
    for pair in added { try insert(pair, number, project) }
  }
}

extension SQLiteStore {
  /// Changes a conversation's set. The former one is kept where the settings say so.
  ///
  /// - Parameters:
  ///   - precondition: What the content must be before, looked at in the same transaction.
  ///   - author: Who changes it.
  /// - Throws: `.conversationNotFound`, `.preconditionFailed`; `.metadata` when the result would break
  ///   a rule; `.unreadableConversation` when the result would depend on what cannot be read.
  public func changeMetadata(
    of id: ConversationID, in project: ProjectID, by change: MetadataChange,
    if precondition: Precondition, for author: ChangeAuthor
  ) async throws(RepositoryError) -> Conversation {
    try await writes.write { writer throws(RepositoryError) in
      try writer.changeMetadata(of: id, in: project, by: change, if: precondition, for: author)
    }
  }

  /// Gives a conversation a set again that it had before.
  ///
  /// - Parameters:
  ///   - version: The number of the set.
  ///   - precondition: What the content must be before, looked at in the same transaction.
  ///   - author: Who restores it.
  /// - Throws: `.conversationNotFound`, `.metadataVersion`, `.preconditionFailed`.
  public func restoreMetadata(
    _ version: Int64, of id: ConversationID, in project: ProjectID, if precondition: Precondition,
    for author: ChangeAuthor
  ) async throws(RepositoryError) -> Conversation {
    try await writes.write { writer throws(RepositoryError) in
      try writer.restoreMetadata(version, of: id, in: project, if: precondition, for: author)
    }
  }

  /// Reads a page of the sets that a conversation had before, as of one moment, on a thread of its own.
  ///
  /// - Throws: `.conversationNotFound`, `.queryTimeout`.
  public func metadataHistory(
    _ query: MetadataHistoryQuery, of id: ConversationID, in project: ProjectID
  ) async throws(RepositoryError) -> MetadataHistoryPage {
    try await queries.run { reader, isOver throws(RepositoryError) in
      try reader.metadataHistory(query, of: id, in: project, isOver: isOver)
    }
  }

  /// Forgets former sets that are too old, in small steps between which other writes run. Stops early
  /// when the task is cancelled.
  public func forgetOldMetadata() async throws(RepositoryError) {
    guard shared.keepsHistory else { return }
    let oldest = shared.oldestVersionKept(now: now())
    while try readers.read({ reader throws(RepositoryError) in
      try reader.hasMetadataVersion(before: oldest)
    }), !Task.isCancelled {
      try await writes.write { writer throws(RepositoryError) in
        try rethrowing { () throws(SQLiteError) in try writer.history.forget(before: oldest) }
      }
      try? await Task.sleep(for: DeletionSlice.pause)
    }
  }
}
