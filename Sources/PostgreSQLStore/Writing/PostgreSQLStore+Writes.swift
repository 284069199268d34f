public import Conversations
internal import PostgreSQL
public import Repository

extension PostgreSQLStore {
  /// Stores a new conversation, with items in it.
  public func createConversation(
    metadata: Metadata, items: [AddedItem], in project: ProjectID
  ) async throws(RepositoryError) -> Conversation {
    try await write(
      resources: [], bytes: items.byteCount,
      ask: { $0.ask(about: items, for: nil, in: project) },
      decide: { found, changes throws(RepositoryError) in
        let items = try found.resolved(items, for: nil, in: project)
        return changes.create(metadata, items, in: project)
      })
  }

  /// Stores a new conversation, unless one was stored under the same key.
  public func createConversation(
    metadata: Metadata, items: [AddedItem], in project: ProjectID, once key: IdempotencyKey,
    answer: @escaping @Sendable (Conversation) -> String
  ) async throws(RepositoryError) -> StoredResponse {
    let name = NameKey(key.text, in: project)
    return try await write(
      resources: [.creationKey(name)], bytes: items.byteCount,
      ask: { questions in
        questions.creationKeys.append(name)
        questions.ask(about: items, for: nil, in: project)
      },
      decide: { found, changes throws(RepositoryError) in
        let known = found.creations[name]
        if let known, found.isRemembered(known.createdAt) {
          guard known.requestHash == key.requestHash.hexadecimalBytes else {
            throw .idempotencyKeyReused
          }
          if let answer = known.answer { return answer }
        }
        let items = try found.resolved(items, for: nil, in: project)
        let conversation = changes.create(metadata, items, in: project)
        let response = StoredResponse(
          text: answer(conversation), contentHash: conversation.contentHash, isReplay: false)
        changes.remember(
          response, to: key, in: project, conversation: conversation.id, insteadOf: known)
        return response
      })
  }

  /// Deletes a conversation and all that is stored of it.
  public func deleteConversation(
    _ id: ConversationID, in project: ProjectID, if precondition: Precondition
  ) async throws(RepositoryError) {
    let key = ConversationKey(id, in: project)
    try await write(
      resources: [.conversation(key)],
      ask: { $0.conversations.insert(key) },
      decide: { found, changes throws(RepositoryError) in
        guard let stored = found.conversations[key] else { throw .conversationNotFound }
        do throws(ChangeRefusal) {
          try precondition.require(stored.metadata, of: id)
        } catch {
          throw RepositoryError(error, of: id)
        }
        changes.delete(key)
      })
  }

  /// Adds items to a conversation, in this order: all of them, or none.
  public func appendItems(
    _ items: [AddedItem], to id: ConversationID, in project: ProjectID, once key: IdempotencyKey?
  ) async throws(RepositoryError) -> AppendedItems {
    let conversation = ConversationKey(id, in: project)
    let name = key.map { NameKey($0.text, in: project) }
    return try await write(
      resources: [.conversation(conversation)] + (name.map { [.appendKey($0)] } ?? []),
      bytes: items.byteCount,
      ask: { questions in
        questions.conversations.insert(conversation)
        if let name { questions.appendKeys.append(name) }
        questions.ask(about: items, for: conversation, in: project)
      },
      decide: { found, changes throws(RepositoryError) in
        guard let stored = found.conversations[conversation] else { throw .conversationNotFound }
        let known = name.flatMap { found.appends[$0] }
        if let key, let known, let name, found.isRemembered(known.createdAt) {
          guard known.requestHash == key.requestHash.hexadecimalBytes else {
            throw .idempotencyKeyReused
          }
          return AppendedItems(items: found.replayed[name] ?? [], isReplay: true)
        }
        let items = try found.resolved(items, for: conversation, in: project)
        let positions = changes.append(items, to: conversation, after: stored.lastPosition)
        if let key {
          changes.remember(
            positions, of: key, in: project, conversation: conversation, insteadOf: known)
        }
        return AppendedItems(items: items, isReplay: false)
      })
  }

  /// Deletes an item.
  public func deleteItem(
    _ item: String, of id: ConversationID, in project: ProjectID
  ) async throws(RepositoryError) -> Conversation {
    let conversation = ConversationKey(id, in: project)
    let key = ItemKey(conversation: conversation, id: item)
    return try await write(
      resources: [.conversation(conversation)],
      ask: { questions in
        questions.conversations.insert(conversation)
        if !item.utf8.contains(0) { questions.items.append(key) }
      },
      decide: { found, changes throws(RepositoryError) in
        guard let stored = found.conversations[conversation] else { throw .conversationNotFound }
        guard let position = found.positions[key] else { throw .item(.notFound(id: item)) }
        guard let metadata = stored.metadata else { throw .unreadableConversation(id) }
        changes.deleteItem(at: position, of: conversation)
        return Conversation(id: id, metadata: metadata)
      })
  }

  /// Leaves a request to the next group, and waits until that is stored.
  func write<Value: Sendable>(
    resources: [Write.Resource], bytes: Int = 0,
    ask: @escaping @Sendable (inout Questions) -> Void,
    decide: @escaping @Sendable (Found, inout Changes) throws(RepositoryError) -> Value
  ) async throws(RepositoryError) -> Value {
    let result = await withCheckedContinuation { continuation in
      let write = Write(resources: resources, bytes: bytes, ask: ask, decide: decide) {
        continuation.resume(returning: $0)
      }
      switch writes.add(write) {
      case nil: break
      case .full(let waitingMax):
        write.refuse(.unavailable(.queueFull(writesMax: waitingMax)))
      case .closed: write.refuse(.unavailable(.closed))
      }
    }
    return try result.get()
  }
}
