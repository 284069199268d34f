/// Which conversations of a project are asked for, and in which order.
public struct ConversationQuery: Sendable {
  /// How many conversations a page may have.
  public static let limits = 1...100
  /// The most conditions of a query.
  public static let conditionsMax = 16
  /// The most values of one condition.
  public static let valuesMax = 16

  /// The direction of the answer.
  public enum Order: String, Sendable, CaseIterable {
    case ascending = "asc"
    case descending = "desc"
  }

  /// What the answer is in the order of.
  public enum Key: String, Sendable, CaseIterable {
    case createdAt = "created_at"
    case lastActivity = "last_activity"
  }

  /// What is told of each conversation beside what it is.
  public enum Inclusion: String, Sendable, CaseIterable {
    case itemCount = "item_count"
    case lastActivityAt = "last_activity_at"
  }

  /// What a conversation's metadata must fulfil.
  public enum Condition: Sendable {
    /// The key is in the set, with one of these values.
    case value(key: String, oneOf: [String])
    /// The key is in the set.
    case exists(key: String)
    /// The key is not in the set.
    case absent(key: String)
  }

  /// The direction of the answer.
  public var order = Order.descending
  /// What the answer is in the order of; what is equal in that is in the order of creation.
  public var orderBy = Key.createdAt
  /// What is told of each conversation beside what it is.
  public var included: Set<Inclusion> = []
  /// How many conversations a page has, within `limits`.
  public var limit = 20
  /// Only what comes after this place in the order.
  public var after: ConversationCursor?
  /// Only what comes before this place in the order; without `after`, the last of those.
  public var before: ConversationCursor?
  /// Only what was created at this Unix second or later.
  public var createdFrom: Int64?
  /// Only what was created before this Unix second.
  public var createdBefore: Int64?
  /// All of these must hold.
  public private(set) var conditions: [Condition] = []

  /// Everything, newest first.
  public init() {}

  /// Demands a pair. Several for the same key are alternatives.
  ///
  /// - Throws: `.tooManyConditions`, `.tooManyValues`.
  public mutating func require(_ pair: Metadata.Pair) throws(ConversationQueryError) {
    for (index, condition) in conditions.enumerated() {
      guard case .value(let key, let values) = condition, key.hasSameBytes(as: pair.key) else {
        continue
      }
      if values.contains(where: pair.value.hasSameBytes) { return }
      guard values.count < Self.valuesMax else { throw .tooManyValues(key: key) }
      conditions[index] = .value(key: key, oneOf: values + [pair.value])
      return
    }
    try append(.value(key: pair.key, oneOf: [pair.value]))
  }

  /// Demands that a key is in the set.
  ///
  /// - Throws: `.tooManyConditions`.
  public mutating func require(key: String) throws(ConversationQueryError) {
    for case .exists(let known) in conditions where known.hasSameBytes(as: key) { return }
    try append(.exists(key: key))
  }

  /// Demands that a key is not in the set.
  ///
  /// - Throws: `.tooManyConditions`.
  public mutating func refuse(key: String) throws(ConversationQueryError) {
    for case .absent(let known) in conditions where known.hasSameBytes(as: key) { return }
    try append(.absent(key: key))
  }

  /// Whether a page is the end of what precedes a place, and so is read from that place backwards.
  public var isBackwards: Bool { before != nil && after == nil }

  private mutating func append(_ condition: Condition) throws(ConversationQueryError) {
    guard conditions.count < Self.conditionsMax else { throw .tooManyConditions }
    conditions.append(condition)
  }
}

/// Which limit of a query is passed.
public enum ConversationQueryError: Error, Equatable, Sendable {
  /// More than `ConversationQuery.conditionsMax` conditions.
  case tooManyConditions
  /// More than `ConversationQuery.valuesMax` values for one key.
  case tooManyValues(key: String)
}

extension ConversationQuery.Condition {
  /// Whether a set fulfils it.
  ///
  /// - Parameter pairs: The set as it is stored; nil stands for what is not UTF-8.
  public func isFulfilled(by pairs: [(key: String?, value: String?)]) -> Bool {
    func values(of key: String) -> [String?] {
      pairs.filter { $0.key?.hasSameBytes(as: key) ?? false }.map(\.value)
    }
    switch self {
    case .value(let key, let allowed):
      return values(of: key).contains { value in
        value.map { value in allowed.contains { $0.hasSameBytes(as: value) } } ?? false
      }
    case .exists(let key): return !values(of: key).isEmpty
    case .absent(let key): return values(of: key).isEmpty
    }
  }
}

/// A conversation in a list.
public struct ListedConversation: Sendable {
  /// The conversation itself.
  public let conversation: Conversation
  /// When something last happened in it; nil unless the query includes that or is in its order.
  public let activity: Activity?

  /// - Parameters:
  ///   - conversation: The conversation itself.
  ///   - activity: When something last happened in it, if that is asked for.
  public init(_ conversation: Conversation, activity: Activity? = nil) {
    self.conversation = conversation
    self.activity = activity
  }

  /// Its place in the order of a key.
  public func place(by key: ConversationQuery.Key) -> ConversationCursor {
    guard key == .lastActivity, let activity else { return .conversation(conversation.id) }
    return .activity(conversation.id, microseconds: activity.lastMicroseconds)
  }
}

/// A part of the conversations that a query asks for.
public struct ConversationPage: Sendable {
  /// In the order of the query.
  public var listed: [ListedConversation] = []
  /// Whether there are more in the direction of the query.
  public var hasMore = false
  /// Those that belong here and cannot be shown: what is stored of them is not valid.
  public var unreadable: [String] = []

  /// An empty page.
  public init() {}

  /// In the order of the query, without what is told beside.
  public var conversations: [Conversation] { listed.map(\.conversation) }
}
