internal import Conversations
internal import Repository
internal import SQLite

extension Writer {
  /// Stores the conversations of an export, one after another.
  ///
  /// - Parameter mintsIDs: Whether each becomes a new conversation with a new id.
  /// - Throws: `.laterThanNow`.
  func importRecords(
    _ groups: [ProjectRecords], mintsIDs: Bool
  ) throws(RepositoryError) -> [ImportOutcome] {
    try groups.flatMap(\.records).requirePast(creationClock.now())
    var newest = try rethrowing { () throws(SQLiteError) in try Self.newestID(selectNewestID) }
    var outcomes: [ImportOutcome] = []
    for group in groups {
      outcomes += try importRecords(
        group.records, mintsIDs: mintsIDs, in: group.project, after: &newest)
    }
    return outcomes
  }

  private func importRecords(
    _ records: [ConversationRecord], mintsIDs: Bool, in project: ProjectID,
    after newest: inout ConversationID?
  ) throws(RepositoryError) -> [ImportOutcome] {
    var minted: [ConversationID: ConversationID] = [:]
    var outcomes: [ImportOutcome] = []
    for record in records {
      let id = record.conversation.id
      if mintsIDs, record.afterItem == nil {
        let made = try createCopy(of: record, in: project)
        minted[id] = made
        outcomes.append(.created(made))
        continue
      }
      guard !mintsIDs || minted[id] != nil else {
        // The conversation that it goes on with is not of this import.
        outcomes.append(.outOfOrder)
        continue
      }
      let record = minted[id].map(record.renamed) ?? record
      let number = try number(of: record.conversation.id, in: project)
      let stored = try number.map { number throws(RepositoryError) in
        try self.stored(number, beside: record, in: project)
      }
      switch record.decided(beside: stored, newest: newest) {
      case .create:
        try insert(record, in: project)
        newest = id
        outcomes.append(.created(id))
      case .append:
        try append(record, to: number!, in: project)
        outcomes.append(.continued)
      case .nothing(let outcome): outcomes.append(outcome)
      }
    }
    return outcomes
  }

  private func createCopy(
    of record: ConversationRecord, in project: ProjectID
  ) throws(RepositoryError) -> ConversationID {
    let created = try rethrowing { () throws(SQLiteError) in
      try createConversation(metadata: record.conversation.metadata, in: project)
    }
    try add(record.items, to: created.number, in: project)
    return created.conversation.id
  }

  private func insert(
    _ record: ConversationRecord, in project: ProjectID
  ) throws(RepositoryError) {
    let number = try rethrowing { () throws(SQLiteError) in
      let number = try insert(record.conversation, in: project)
      if record.lastActivityMicroseconds > record.conversation.id.createdAtMicroseconds {
        // Before the items: the schema would note their second.
        try activity.note(number, atMicroseconds: record.lastActivityMicroseconds)
      }
      return number
    }
    try add(record.items, to: number, in: project)
  }

  private func append(
    _ record: ConversationRecord, to number: Int64, in project: ProjectID
  ) throws(RepositoryError) {
    try rethrowing { () throws(SQLiteError) in
      try activity.note(number, atMicroseconds: record.lastActivityMicroseconds)
    }
    try add(record.items, to: number, in: project)
  }

  private func add(
    _ records: [ItemRecord], to number: Int64, in project: ProjectID
  ) throws(RepositoryError) {
    for record in records {
      _ = try items.store(record.item, number, project, record.createdAt)
    }
  }

  // MARK: What is there

  private func number(
    of id: ConversationID, in project: ProjectID
  ) throws(RepositoryError) -> Int64? {
    do {
      return try numbers.conversation(id, in: project)
    } catch .conversationNotFound {
      return nil
    }
  }

  private func stored(
    _ number: Int64, beside record: ConversationRecord, in project: ProjectID
  ) throws(RepositoryError) -> StoredRecord {
    let metadata = try rethrowing { () throws(SQLiteError) in try storedMetadata(number) }
    let activity = try rethrowing { () throws(SQLiteError) in
      try self.activity.activity(of: number)
    }
    let items = try storedItems(of: number, beside: record, in: project)
    return StoredRecord(
      metadata: metadata, lastActivityMicroseconds: activity?.lastMicroseconds ?? 0, items: items,
      hasItems: items == [] ? try hasItems(of: record, number, in: project) : false)
  }

  /// Whether a conversation has one of the record's items.
  private func hasItems(
    of record: ConversationRecord, _ number: Int64, in project: ProjectID
  ) throws(RepositoryError) -> Bool {
    for one in record.items {
      let place = try numbers.item(one.item.id.description, of: number, in: project)
      if place != nil { return true }
    }
    return false
  }

  /// - Returns: nil when the conversation does not have the item after which they would follow.
  private func storedItems(
    of number: Int64, beside record: ConversationRecord, in project: ProjectID
  ) throws(RepositoryError) -> [ItemFingerprint]? {
    var first: Int64 = 0
    if let afterItem = record.afterItem {
      guard let place = try numbers.item(afterItem.description, of: number, in: project) else {
        return nil
      }
      first = place
    }
    var found: [ItemFingerprint] = []
    try itemRecords.forEach(of: number, after: first) { item, _ in
      // One that cannot be shown is not the record's.
      found.append(item?.fingerprint ?? .ofNone)
      return found.count <= record.items.count
    }
    return found
  }
}

extension ItemFingerprint {
  /// That of no item.
  fileprivate static let ofNone = ItemFingerprint(id: "", type: "", createdAt: 0, fieldsHash: [])
}
