internal import Conversations
internal import PostgreSQL
internal import Repository

/// What the requests of a group change, collected row by row, to be written by a few statements.
struct Changes {
  private struct PairRow {
    let conversation: ConversationKey
    let key: String
    let value: String
  }

  private struct KeyRow {
    let conversation: ConversationKey
    let key: String
  }

  /// A set that is kept, and who replaces it.
  private struct FormerRow {
    let conversation: ConversationKey
    let author: ChangeAuthor
  }

  struct ConversationRow {
    let key: ConversationKey
    let conversation: Conversation
    let microseconds: Int64
    let itemCount: Int
  }

  struct ItemRow {
    let conversation: ConversationKey
    let position: Int64
    let item: Item
    /// In Unix seconds; nil for the moment of the group.
    var createdAt: Int64?
  }

  struct ActivityRow {
    let conversation: ConversationKey
    let microseconds: Int64
    let added: Int64
    let lastPosition: Int64
  }

  private struct CreationRow {
    let key: NameKey
    let requestHash: [UInt8]
    let conversation: [UInt8]
    let answer: StoredResponse
  }

  private struct AppendRow {
    let key: NameKey
    let requestHash: [UInt8]
    let conversation: [UInt8]
    let first: Int64
    let last: Int64
  }

  private struct OldKey {
    let key: NameKey
    let createdAt: Int64
  }

  let clock: GroupClock
  private var updates: [(key: ConversationKey, metadata: Metadata)] = []
  private var former: [FormerRow] = []
  /// Conversations whose whole sets go from the indices, as they are stored.
  private var unindexed: [ConversationKey] = []
  private var removedPairs: [PairRow] = []
  private var addedPairs: [PairRow] = []
  private var removedKeys: [KeyRow] = []
  private var addedKeys: [KeyRow] = []
  var created: [ConversationRow] = []
  var items: [ItemRow] = []
  var activity: [ActivityRow] = []
  private var deletedItems: [(conversation: ConversationKey, position: Int64)] = []
  private var deleted: [ConversationKey] = []
  private var oldCreationKeys: [OldKey] = []
  private var creationKeys: [CreationRow] = []
  private var oldAppendKeys: [OldKey] = []
  private var appendKeys: [AppendRow] = []
  private var others: [Call] = []
  /// The newest id that was made.
  var newestID: ConversationID?

  init(_ clock: GroupClock) {
    self.clock = clock
  }

  /// Whether there is nothing to write.
  var isEmpty: Bool {
    updates.isEmpty && created.isEmpty && activity.isEmpty && deleted.isEmpty
      && creationKeys.isEmpty
      && appendKeys.isEmpty && others.isEmpty
  }

  // MARK: What a request does

  /// Stores a new conversation, whose id sorts after all that were answered before.
  mutating func create(
    _ metadata: Metadata, _ added: [Item], in project: ProjectID
  ) -> Conversation {
    let conversation = Conversation(id: clock.nextID(), metadata: metadata)
    newestID = conversation.id
    let key = ConversationKey(conversation.id, in: project)
    created.append(
      ConversationRow(
        key: key, conversation: conversation,
        microseconds: conversation.id.createdAtMicroseconds, itemCount: added.count))
    index(metadata, of: key)
    add(added, to: key, after: 0)
    return conversation
  }

  /// Gives a conversation another set.
  ///
  /// - Parameter stored: The set that it has; nil when it cannot be shown.
  mutating func replace(
    _ stored: Metadata?, by metadata: Metadata, of key: ConversationKey
  ) {
    guard let stored else {
      unindexed.append(key)
      updates.append((key, metadata))
      index(metadata, of: key)
      return
    }
    let (removed, changed, added) = stored.difference(to: metadata)
    guard !removed.isEmpty || !changed.isEmpty || !added.isEmpty else { return }
    updates.append((key, metadata))
    for pair in stored.pairs
    where removed.contains(where: pair.key.hasSameBytes)
      || changed.contains(where: { $0.key.hasSameBytes(as: pair.key) })
    {
      removedPairs.append(PairRow(conversation: key, key: pair.key, value: pair.value))
    }
    for pair in changed + added {
      addedPairs.append(PairRow(conversation: key, key: pair.key, value: pair.value))
    }
    for name in removed { removedKeys.append(KeyRow(conversation: key, key: name)) }
    for pair in added { addedKeys.append(KeyRow(conversation: key, key: pair.key)) }
  }

  /// Keeps the set that a conversation has, before another one takes its place. A group has a conversation
  /// once.
  mutating func keepSet(of key: ConversationKey, replacedBy author: ChangeAuthor) {
    former.append(FormerRow(conversation: key, author: author))
  }

  /// Deletes a conversation and all that is stored of it.
  mutating func delete(_ key: ConversationKey) {
    unindexed.append(key)
    deleted.append(key)
  }

  /// Adds items to a conversation that is there, behind all that it has.
  ///
  /// - Returns: Their positions; empty for none.
  mutating func append(
    _ added: [Item], to key: ConversationKey, after lastPosition: Int64
  ) -> Range<Int64> {
    guard !added.isEmpty else { return 0..<0 }
    add(added, to: key, after: lastPosition)
    let last = lastPosition + Int64(added.count)
    activity.append(
      ActivityRow(
        conversation: key, microseconds: clock.now, added: Int64(added.count), lastPosition: last))
    return lastPosition + 1..<last + 1
  }

  /// Deletes an item.
  mutating func deleteItem(at position: Int64, of key: ConversationKey) {
    deletedItems.append((key, position))
    activity.append(
      ActivityRow(conversation: key, microseconds: 0, added: -1, lastPosition: 0))
  }

  /// Remembers the answer to a creation.
  ///
  /// - Parameter old: A record under the same key that is too old.
  mutating func remember(
    _ answer: StoredResponse, to key: IdempotencyKey, in project: ProjectID,
    conversation: ConversationID, insteadOf old: Found.Creation?
  ) {
    let name = NameKey(key.text, in: project)
    if let old { oldCreationKeys.append(OldKey(key: name, createdAt: old.createdAt)) }
    creationKeys.append(
      CreationRow(
        key: name, requestHash: key.requestHash.hexadecimalBytes, conversation: conversation.bytes,
        answer: answer))
  }

  /// Remembers the items of an append.
  ///
  /// - Parameter old: A record under the same key that is too old.
  mutating func remember(
    _ positions: Range<Int64>, of key: IdempotencyKey, in project: ProjectID,
    conversation: ConversationKey, insteadOf old: Found.Append?
  ) {
    let name = NameKey(key.text, in: project)
    if let old { oldAppendKeys.append(OldKey(key: name, createdAt: old.createdAt)) }
    appendKeys.append(
      AppendRow(
        key: name, requestHash: key.requestHash.hexadecimalBytes, conversation: conversation.id,
        first: positions.lowerBound, last: positions.upperBound - 1))
  }

  /// Runs a statement of a rare kind.
  mutating func run(_ call: Call) {
    others.append(call)
  }

  mutating func index(_ metadata: Metadata, of key: ConversationKey) {
    for pair in metadata.pairs {
      addedPairs.append(PairRow(conversation: key, key: pair.key, value: pair.value))
      addedKeys.append(KeyRow(conversation: key, key: pair.key))
    }
  }

  private mutating func add(_ added: [Item], to key: ConversationKey, after position: Int64) {
    for (index, item) in added.enumerated() {
      items.append(
        ItemRow(conversation: key, position: position + Int64(index) + 1, item: item))
    }
  }

  // MARK: The statements

  /// The statements that write all of it. Former sets are kept before others take their places. What
  /// goes goes before what comes, and the idempotency keys come last and sorted: another program that
  /// has the same key is waited for there, when this one holds no lock that it could want.
  func calls() -> [Call] {
    [
      of(unindexed) { Self.call(WriteStatements.unindexPairs, $0) },
      of(unindexed) { Self.call(WriteStatements.unindexKeys, $0) },
      of(removedPairs) { Self.call(WriteStatements.deletePairs, $0) },
      of(removedKeys) { Self.call(WriteStatements.deleteKeys, $0) },
      of(former) { rows in
        HistoryStatements.insert.call {
          $0.add(int64s: rows.map(\.conversation.project))
          $0.add(byteas: rows.map(\.conversation.id))
          $0.add(clock.now)
          $0.add(texts: rows.map(\.author.keyName))
          $0.add(texts: rows.map(\.author.requestID))
        }
      },
      of(updates) { rows in
        WriteStatements.updateMetadata.call {
          $0.add(int64s: rows.map(\.key.project))
          $0.add(byteas: rows.map(\.key.id))
          $0.add(jsonbs: rows.map(\.metadata.document))
        }
      },
      of(created, Self.call),
      of(addedPairs) { Self.call(WriteStatements.insertPairs, $0) },
      of(addedKeys) { Self.call(WriteStatements.insertKeys, $0) },
      of(items) { call($0) },
      of(deletedItems) { rows in
        WriteStatements.deleteItems.call {
          $0.add(int64s: rows.map(\.conversation.project))
          $0.add(byteas: rows.map(\.conversation.id))
          $0.add(int64s: rows.map(\.position))
        }
      },
      of(activity, Self.call),
      of(deleted) { Self.call(WriteStatements.deleteItemsOf, $0) },
      of(deleted) { Self.call(WriteStatements.deleteCreationKeysOf, $0) },
      of(deleted) { Self.call(WriteStatements.deleteAppendKeysOf, $0) },
      of(deleted) { Self.call(WriteStatements.deleteConversations, $0) },
    ].compactMap(\.self) + others + keyCalls()
  }

  private func keyCalls() -> [Call] {
    [
      of(oldCreationKeys) { Self.call(WriteStatements.deleteCreationKeys, $0) },
      of(creationKeys.sorted { $0.key < $1.key }) { rows in
        WriteStatements.insertCreationKeys.call {
          $0.add(int64s: rows.map(\.key.project))
          $0.add(texts: rows.map(\.key.name))
          $0.add(byteas: rows.map(\.requestHash))
          $0.add(byteas: rows.map(\.conversation))
          $0.add(texts: rows.map(\.answer.text))
          $0.add(byteas: rows.map(\.answer.contentHash.description.hexadecimalBytes))
          $0.add(int64s: rows.map { _ in seconds })
        }
      },
      of(oldAppendKeys) { Self.call(WriteStatements.deleteAppendKeys, $0) },
      of(appendKeys.sorted { $0.key < $1.key }) { rows in
        WriteStatements.insertAppendKeys.call {
          $0.add(int64s: rows.map(\.key.project))
          $0.add(texts: rows.map(\.key.name))
          $0.add(byteas: rows.map(\.requestHash))
          $0.add(byteas: rows.map(\.conversation))
          $0.add(int64s: rows.map(\.first))
          $0.add(int64s: rows.map(\.last))
          $0.add(int64s: rows.map { _ in seconds })
        }
      },
    ].compactMap(\.self)
  }

  /// The moment by which the group makes ids, in Unix microseconds.
  var now: Int64 { clock.now }

  /// The moment of the group in Unix seconds.
  private var seconds: Int64 { clock.databaseTime / 1_000_000 }

  private func of<Row>(_ rows: [Row], _ call: ([Row]) -> Call) -> Call? {
    rows.isEmpty ? nil : call(rows)
  }

  private static func call(_ statement: Statement, _ keys: [ConversationKey]) -> Call {
    statement.call {
      $0.add(int64s: keys.map(\.project))
      $0.add(byteas: keys.map(\.id))
    }
  }

  private static func call(_ statement: Statement, _ rows: [PairRow]) -> Call {
    statement.call {
      $0.add(int64s: rows.map(\.conversation.project))
      $0.add(texts: rows.map(\.key))
      $0.add(texts: rows.map(\.value))
      $0.add(byteas: rows.map(\.conversation.id))
    }
  }

  private static func call(_ statement: Statement, _ rows: [KeyRow]) -> Call {
    statement.call {
      $0.add(int64s: rows.map(\.conversation.project))
      $0.add(texts: rows.map(\.key))
      $0.add(byteas: rows.map(\.conversation.id))
    }
  }

  private static func call(_ statement: Statement, _ keys: [OldKey]) -> Call {
    statement.call {
      $0.add(int64s: keys.map(\.key.project))
      $0.add(texts: keys.map(\.key.name))
      $0.add(int64s: keys.map(\.createdAt))
    }
  }

  private static func call(_ rows: [ConversationRow]) -> Call {
    WriteStatements.insertConversations.call {
      $0.add(int64s: rows.map(\.key.project))
      $0.add(byteas: rows.map(\.key.id))
      $0.add(int64s: rows.map(\.conversation.createdAt))
      $0.add(jsonbs: rows.map(\.conversation.metadata.document))
      $0.add(int64s: rows.map(\.microseconds))
      $0.add(int64s: rows.map { Int64($0.itemCount) })
    }
  }

  private static func call(_ rows: [ActivityRow]) -> Call {
    WriteStatements.noteItems.call {
      $0.add(int64s: rows.map(\.conversation.project))
      $0.add(byteas: rows.map(\.conversation.id))
      $0.add(int64s: rows.map(\.microseconds))
      $0.add(int64s: rows.map(\.added))
      $0.add(int64s: rows.map(\.lastPosition))
    }
  }

  private func call(_ rows: [ItemRow]) -> Call {
    WriteStatements.insertItems.call {
      $0.add(int64s: rows.map(\.conversation.project))
      $0.add(byteas: rows.map(\.conversation.id))
      $0.add(int64s: rows.map(\.position))
      $0.add(texts: rows.map(\.item.id.description))
      $0.add(texts: rows.map(\.item.type))
      $0.add(int64s: rows.map { $0.createdAt ?? seconds })
      $0.add(int32s: rows.map { Int32($0.item.fields.count) })
      $0.add(jsons: rows.map(\.item.fields))
    }
  }
}
