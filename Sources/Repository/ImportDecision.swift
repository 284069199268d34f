public import Conversations

/// What became of a record that was imported.
public enum ImportOutcome: Equatable, Sendable {
  /// The conversation is new, and has this id.
  case created(ConversationID)
  /// Its items were added to those that an earlier record brought.
  case continued
  /// The conversation is there, as the record has it, and nothing was changed.
  case unchanged
  /// The conversation is there with other content, and nothing was changed.
  case different
  /// The conversation is not there, and its id does not sort after all that ever were; or another project
  /// has it, which is not told. Nothing was stored.
  case outOfOrder
}

/// What is stored of a conversation that a record is imported for.
public struct StoredRecord: Sendable {
  /// Its set; nil when it cannot be shown.
  public let metadata: Metadata?
  /// The moment of its last activity, in Unix microseconds.
  public let lastActivityMicroseconds: Int64
  /// Its items after the record's `afterItem`, as many as the record has and one more, if there are so
  /// many; nil when it does not have that item.
  public let items: [ItemFingerprint]?
  /// Whether it has one of the record's items already, wherever; asked only where `items` is empty.
  public let hasItems: Bool

  /// - Parameters:
  ///   - metadata: Its set; nil when it cannot be shown.
  ///   - lastActivityMicroseconds: The moment of its last activity, in Unix microseconds.
  ///   - items: Its items after the record's `afterItem`.
  ///   - hasItems: Whether it has one of the record's items already.
  public init(
    metadata: Metadata?, lastActivityMicroseconds: Int64, items: [ItemFingerprint]?,
    hasItems: Bool = false
  ) {
    self.metadata = metadata
    self.lastActivityMicroseconds = lastActivityMicroseconds
    self.items = items
    self.hasItems = hasItems
  }
}

/// What an engine does for a record.
public enum ImportDecision: Equatable, Sendable {
  /// Stores the conversation under its own id.
  case create
  /// Adds the items behind those that the conversation has, and notes the record's last activity.
  case append
  /// Nothing.
  case nothing(ImportOutcome)
}

extension ConversationRecord {
  /// Decides what an import does for a record: the rule that every engine keeps.
  ///
  /// The pieces of a conversation are read one after another, and it may change meanwhile. So its metadata
  /// is that of its first piece, and its last activity that of the last one.
  ///
  /// - Parameters:
  ///   - stored: What the project has of the conversation; nil when it has none.
  ///   - newest: The newest id that the database ever had, of any project.
  public func decided(beside stored: StoredRecord?, newest: ConversationID?) -> ImportDecision {
    guard let stored else {
      let isNewer = newest.map { $0 < conversation.id } ?? true
      return isNewer && afterItem == nil ? .create : .nothing(.outOfOrder)
    }
    guard let items = stored.items else { return .nothing(.different) }
    if afterItem != nil, items.isEmpty, !self.items.isEmpty {
      return stored.hasItems ? .nothing(.different) : .append
    }
    let own = self.items.map(\.fingerprint)
    let isSame = hasMore ? items.starts(with: own) : items == own
    return .nothing(isSame && hasFacts(of: stored) ? .unchanged : .different)
  }

  /// Whether what is stored beside the items is what the record says.
  private func hasFacts(of stored: StoredRecord) -> Bool {
    let isFirst = afterItem == nil
    guard !isFirst || stored.metadata == conversation.metadata else { return false }
    return isFirst && !hasMore
      ? stored.lastActivityMicroseconds == lastActivityMicroseconds
      : stored.lastActivityMicroseconds >= lastActivityMicroseconds
  }
}

extension [ConversationRecord] {
  /// Refuses what would move the ids of everybody: they follow the newest.
  ///
  /// - Parameter now: The moment by which ids are made, in Unix microseconds.
  /// - Throws: `.laterThanNow`.
  public func requirePast(_ now: Int64) throws(RepositoryError) {
    for (index, record) in enumerated() where record.lastActivityMicroseconds > now {
      throw .laterThanNow(record: index)
    }
  }
}
