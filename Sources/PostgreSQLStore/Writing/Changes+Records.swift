internal import Conversations
internal import Repository

/// What the records of an import change.
extension Changes {
  /// Stores the conversation of a record, whose id sorts after all that ever were.
  mutating func insert(_ record: ConversationRecord, in project: ProjectID) {
    let conversation = record.conversation
    clock.see(conversation.id)
    newestID = newestID.map { max($0, conversation.id) } ?? conversation.id
    let key = ConversationKey(conversation.id, in: project)
    created.append(
      ConversationRow(
        key: key, conversation: conversation, microseconds: record.lastActivityMicroseconds,
        itemCount: record.items.count))
    index(conversation.metadata, of: key)
    add(record.items, to: key, after: 0)
  }

  /// Stores the conversation of a record under a new id.
  ///
  /// - Returns: The id.
  mutating func insertCopy(
    of record: ConversationRecord, in project: ProjectID
  ) -> ConversationID {
    let id = clock.nextID()
    // Its own activity is that of the new one.
    let copy = ConversationRecord(
      Conversation(id: id, metadata: record.conversation.metadata), items: record.items)
    insert(copy, in: project)
    return id
  }

  /// Adds the items of a record to a conversation that is there, behind all that it has.
  mutating func append(
    _ record: ConversationRecord, to key: ConversationKey, after lastPosition: Int64
  ) {
    add(record.items, to: key, after: lastPosition)
    // One row for a conversation: an UPDATE that meets several takes one of them.
    let known = activity.lastIndex { $0.conversation == key }
    let count = Int64(record.items.count)
    let before = known.map { activity[$0].microseconds } ?? 0
    let row = ActivityRow(
      conversation: key, microseconds: max(before, record.lastActivityMicroseconds),
      added: count + (known.map { activity[$0].added } ?? 0), lastPosition: lastPosition + count)
    if let known { activity[known] = row } else { activity.append(row) }
  }

  private mutating func add(
    _ records: [ItemRecord], to key: ConversationKey, after position: Int64
  ) {
    for (index, record) in records.enumerated() {
      items.append(
        ItemRow(
          conversation: key, position: position + Int64(index) + 1, item: record.item,
          createdAt: record.createdAt))
    }
  }
}
