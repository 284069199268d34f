public import Conversations

/// Where the conversations, their items and the API keys are kept. Each engine has one.
///
/// A write returns when it is as durable as the engine's settings say, and never before. Reads see
/// everything that was answered before they began. Nothing is found without a project.
///
/// Every operation may also throw `.unavailable`, and `.storage` for what the engine reports and
/// nobody foresaw; a write also `.storageFull` and `.commitUnknown`.
public protocol Store: ConversationSource, AnyObject {
  /// What opening the database did to it.
  var migration: MigrationReport { get }

  // MARK: Reads

  /// Finds out who shows an API key, and reads the one thing that the request is about, both as of one
  /// moment.
  ///
  /// Called on the event loop: either answers within microseconds, or says how to wait.
  func look(_ lookUp: LookUp) -> Looked

  /// Whether an API key was ever created, as of this moment.
  func hasAPIKeys() async throws(RepositoryError) -> Bool

  /// Counts the conversations that a query asks for, as of one moment; the query's limit and order mean
  /// nothing. At the deadline the count is what was counted so far, and is not exact.
  ///
  /// - Parameter limit: Where to stop.
  func count(
    of query: ConversationQuery, upTo limit: Int, in project: ProjectID
  ) async throws(RepositoryError) -> ConversationCount

  /// Reads a page of the facets that a query asks for, as of one moment. Counts that were not made by
  /// the deadline are left out.
  ///
  /// - Throws: `.queryTimeout` when not even the facets are found by then.
  func facets(_ query: FacetQuery, in project: ProjectID) async throws(RepositoryError) -> FacetPage

  /// Reads a page of a conversation's items, as of one moment.
  ///
  /// - Throws: `.conversationNotFound`, `.item`, `.queryTimeout`.
  func items(
    _ query: ItemQuery, of id: ConversationID, in project: ProjectID
  ) async throws(RepositoryError) -> ItemPage

  /// Reads a page of the sets that a conversation had before, as of one moment.
  ///
  /// - Throws: `.conversationNotFound`, `.queryTimeout`.
  func metadataHistory(
    _ query: MetadataHistoryQuery, of id: ConversationID, in project: ProjectID
  ) async throws(RepositoryError) -> MetadataHistoryPage

  /// Reads some of the conversations that a query asks for, with all that is in them, in the order of
  /// their ids, as of one moment. At the deadline the page ends early.
  ///
  /// - Parameters:
  ///   - query: Its limit, its order and its places mean nothing.
  ///   - place: Where the page before ended; nil for the first.
  /// - Throws: `.queryTimeout` when nothing was found by then.
  func exportPage(
    _ query: ConversationQuery, from place: ExportPlace?, in project: ProjectID
  ) async throws(RepositoryError) -> ExportPage

  /// Reads what is known of the keys of a project that are not revoked, by their names.
  ///
  /// - Throws: `.queryTimeout`.
  func apiKeys(in project: ProjectID) async throws(RepositoryError) -> [APIKeyRecord]

  /// Counts what is in each project, by their numbers, a part at a time, so that nothing is held up and
  /// no deadline counts. Stops early when the task is cancelled.
  func projectCounts() async throws(RepositoryError) -> [ProjectCount]

  // MARK: Writes

  /// Stores a new conversation, with items in it.
  ///
  /// - Throws: `.item`, `.unreadableItem`.
  func createConversation(
    metadata: Metadata, items: [AddedItem], in project: ProjectID
  ) async throws(RepositoryError) -> Conversation

  /// Stores a new conversation, unless one was stored under the same key: then the first answer is
  /// returned once more, for as long as the key is remembered and the conversation exists.
  ///
  /// - Parameter answer: What is answered for a new conversation. It is stored too, and so has no
  ///   U+0000. May be called several times.
  /// - Throws: `.idempotencyKeyReused`, `.item`, `.unreadableItem`.
  func createConversation(
    metadata: Metadata, items: [AddedItem], in project: ProjectID, once key: IdempotencyKey,
    answer: @escaping @Sendable (Conversation) -> String
  ) async throws(RepositoryError) -> StoredResponse

  /// Changes a conversation's set. The former one is kept where the settings say so.
  ///
  /// - Parameters:
  ///   - precondition: What the content must be before, looked at in the same transaction.
  ///   - author: Who changes it.
  /// - Throws: `.conversationNotFound`, `.preconditionFailed`; `.metadata` when the result would break
  ///   a rule; `.unreadableConversation` when the result would depend on what cannot be read.
  func changeMetadata(
    of id: ConversationID, in project: ProjectID, by change: MetadataChange,
    if precondition: Precondition, for author: ChangeAuthor
  ) async throws(RepositoryError) -> Conversation

  /// Gives a conversation a set again that it had before. It is a change as any other.
  ///
  /// - Parameters:
  ///   - version: The number of the set.
  ///   - precondition: What the content must be before, looked at in the same transaction.
  ///   - author: Who restores it.
  /// - Throws: `.conversationNotFound`, `.metadataVersion`, `.preconditionFailed`.
  func restoreMetadata(
    _ version: Int64, of id: ConversationID, in project: ProjectID, if precondition: Precondition,
    for author: ChangeAuthor
  ) async throws(RepositoryError) -> Conversation

  /// Deletes a conversation and all that is stored of it.
  ///
  /// - Parameter precondition: What the content must be before, looked at in the same transaction.
  /// - Throws: `.conversationNotFound`, `.preconditionFailed`.
  func deleteConversation(
    _ id: ConversationID, in project: ProjectID, if precondition: Precondition
  ) async throws(RepositoryError)

  /// Deletes those of some conversations that are chosen, each looked at in the transaction that deletes
  /// it.
  ///
  /// - Parameter isChosen: Gets a conversation with its activity, and the moment in Unix microseconds.
  ///   May be called several times for each.
  /// - Returns: How many were deleted.
  func deleteConversations(
    _ ids: [ConversationID], in project: ProjectID,
    where isChosen: @escaping @Sendable (ListedConversation, _ now: Int64) -> Bool
  ) async throws(RepositoryError) -> Int

  /// Adds items to a conversation, in this order: all of them, or none.
  ///
  /// - Parameter key: A repeat with it adds nothing, and is answered with what is left of the items that
  ///   the first request added; nil for a request without one.
  /// - Throws: `.conversationNotFound`, `.idempotencyKeyReused`, `.item`, `.unreadableItem`.
  func appendItems(
    _ items: [AddedItem], to id: ConversationID, in project: ProjectID, once key: IdempotencyKey?
  ) async throws(RepositoryError) -> AppendedItems

  /// Deletes an item.
  ///
  /// - Parameter item: Its id; any text.
  /// - Returns: The conversation that had it.
  /// - Throws: `.conversationNotFound`, `.item`, `.unreadableConversation`.
  func deleteItem(
    _ item: String, of id: ConversationID, in project: ProjectID
  ) async throws(RepositoryError) -> Conversation

  /// Stores the conversations of an export with their ids, times and bytes, all of them in one
  /// transaction, one after another.
  ///
  /// - Parameters:
  ///   - groups: By project; a project may be there several times.
  ///   - mintsIDs: Whether each becomes a new conversation with a new id instead. A record that goes on
  ///     with a conversation goes on with the new one, if a record of its group before it began that.
  /// - Returns: What became of each.
  /// - Throws: `.laterThanNow`; nothing is stored then.
  func importRecords(
    _ groups: [ProjectRecords], mintsIDs: Bool
  ) async throws(RepositoryError) -> [ImportOutcome]

  /// Stores projects and API keys as another database has them, with their numbers.
  func add(_ installation: Installation) async throws(RepositoryError)

  /// Makes an API key.
  ///
  /// - Returns: The key, which nobody can read again, and what is known of it.
  /// - Throws: `.apiKey(.nameTaken)`.
  func createAPIKey(
    _ new: NewAPIKey, in project: ProjectID
  ) async throws(RepositoryError) -> (key: APIKey, record: APIKeyRecord)

  /// Revokes an API key, for good.
  ///
  /// - Parameter name: Any text.
  /// - Throws: `.apiKey(.notFound)`, `.apiKey(.isAdmin)`.
  func revokeAPIKey(named name: String, in project: ProjectID) async throws(RepositoryError)

  // MARK: Operation

  /// Tells whether reads and writes succeed, from what is known, without waiting.
  ///
  /// - Throws: Why they do not.
  func checkReadiness() throws(RepositoryError)

  /// How things stand, for whoever watches.
  var state: StoreState { get }

  /// Forgets idempotency keys that are too old, in small steps between which other writes run. Stops
  /// early when the task is cancelled.
  func forgetOldIdempotencyKeys() async throws(RepositoryError)

  /// Forgets former sets that are too old by the settings, in small steps between which other writes
  /// run; none where the settings keep none. Stops early when the task is cancelled.
  func forgetOldMetadata() async throws(RepositoryError)

  /// Writes down when API keys were last used, all that were since the last time in one write.
  func writeKeyUses() async throws(RepositoryError)

  /// Does what else the engine needs about once a minute.
  ///
  /// - Returns: What an operator should know of; empty when all is well.
  func tidyUp() async -> [StoreProblem]

  /// Whether a commit ended in `.commitUnknown` so that no further write is taken and the process
  /// should end.
  var isStopped: Bool { get }

  /// Tells that `close` will follow soon: from `timeout` on, writes do not wait for another process's
  /// lock any more, and queries end.
  func prepareToClose(within timeout: Duration)

  /// Takes no more writes, stores those that wait, and closes the database. Reads must have ended.
  func close() async
}

extension Store {
  /// Stores the conversations of an export in one project.
  public func importRecords(
    _ records: [ConversationRecord], mintsIDs: Bool, in project: ProjectID
  ) async throws(RepositoryError) -> [ImportOutcome] {
    try await importRecords([ProjectRecords(project, records)], mintsIDs: mintsIDs)
  }

  /// Stores a new conversation without items.
  public func createConversation(
    metadata: Metadata, in project: ProjectID
  ) async throws(RepositoryError) -> Conversation {
    try await createConversation(metadata: metadata, items: [], in: project)
  }

  /// Deletes a conversation, whatever is in it.
  public func deleteConversation(
    _ id: ConversationID, in project: ProjectID
  ) async throws(RepositoryError) {
    try await deleteConversation(id, in: project, if: .none)
  }
}
