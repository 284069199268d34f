internal import Conversations
internal import Repository
internal import Synchronization

/// Reads of one request that see the database as of one moment.
///
/// They share one read transaction, which the first of them begins and the end of the value ends:
/// for each of its own a read would make two more calls of the operating system, under a lock that
/// all readers of the process share. Made, used and dropped at once, on one thread: while it lasts,
/// the write-ahead log cannot be written back past it.
struct Snapshot: ~Copyable {
  private let repository: SQLiteStore
  /// Lent at the first read, since not every request reads.
  private var reader: Reader?

  init(_ repository: SQLiteStore) {
    self.repository = repository
  }

  deinit {
    if let reader { repository.readers.giveBack(reader) }
  }

  /// Finds out who asks, and reads what is asked for.
  mutating func find(_ lookUp: LookUp) throws(RepositoryError) -> Finding {
    guard let access = try access(lookUp) else {
      return Finding(access: nil, value: .success(.nothing))
    }
    let value = Result { () throws(RepositoryError) -> Finding.Value in
      switch lookUp.subject {
      case .nothing: .nothing
      case .conversation(let id): .conversation(try conversation(id, in: access.project))
      case .item(let item, let id): .item(try self.item(item, of: id, in: access.project))
      case .apiKey: try apiKey(access.keyNumber).map { .apiKey($0) } ?? .nothing
      }
    }
    return Finding(access: access, value: value)
  }

  private mutating func access(_ lookUp: LookUp) throws(RepositoryError) -> Access? {
    if !lookUp.requiresKey, try !hasAPIKeys() { return .withoutKey }
    guard let key = lookUp.key else { return nil }
    return try access(key: key)
  }

  /// Reads one conversation: a few microseconds, or a read of the disk.
  ///
  /// - Throws: `.conversationNotFound`, `.unreadableConversation`.
  mutating func conversation(
    _ id: ConversationID, in project: ProjectID
  ) throws(RepositoryError) -> Conversation {
    try lend().conversation(id, in: project)
  }

  /// Reads one item of a conversation.
  ///
  /// - Parameter item: Its id; any text.
  /// - Throws: `.conversationNotFound`, `.item`, `.unreadableItem`.
  mutating func item(
    _ item: String, of id: ConversationID, in project: ProjectID
  ) throws(RepositoryError) -> Item {
    try lend().item(item, of: id, in: project)
  }

  /// Whether requests need an API key: from the first one that was ever made, by whomever.
  mutating func hasAPIKeys() throws(RepositoryError) -> Bool {
    if repository.hasSeenKey.load(ordering: .relaxed) { return true }
    let hasKey = try lend().hasAPIKeys()
    if hasKey { repository.hasSeenKey.store(true, ordering: .relaxed) }
    return hasKey
  }

  /// What the bearer of an API key may do: a look-up in the database.
  ///
  /// - Parameter key: The whole key.
  /// - Returns: nil for a key that is unknown, revoked or expired.
  mutating func access(key: String) throws(RepositoryError) -> Access? {
    try access(keyHash: lend().hash(of: key))
  }

  mutating func access(keyHash hash: String) throws(RepositoryError) -> Access? {
    let now = repository.now()
    let access = try lend().access(keyHash: hash, now: now)
    if let access { repository.keyUses.note(key: access.keyNumber, now: now) }
    return access
  }

  /// What is known of an API key.
  ///
  /// - Parameter number: The number under which the database knows it.
  /// - Returns: nil when there is none.
  mutating func apiKey(_ number: Int64) throws(RepositoryError) -> APIKeyRecord? {
    try lend().apiKey(number)
  }

  private mutating func lend() throws(RepositoryError) -> Reader {
    if let reader { return reader }
    let reader = try repository.readers.take()
    do {
      try reader.begin()
    } catch {
      repository.readers.giveBack(reader)
      throw error
    }
    self.reader = reader
    return reader
  }
}
