/// Which conversations of a project are asked for, and in which order.
public struct ConversationQuery: Sendable {
  /// How many conversations a page may have.
  public static let limits = 1...100
  /// The most conditions of a query.
  public static let conditionsMax = 16
  /// The most values of one condition.
  public static let valuesMax = 16

  /// The order of the answer, by creation.
  public enum Order: String, Sendable, CaseIterable {
    case ascending = "asc"
    case descending = "desc"
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

  /// The order of the answer.
  public var order = Order.descending
  /// How many conversations a page has, within `limits`.
  public var limit = 20
  /// Only what comes after this place in the order. No conversation need have this id.
  public var after: ConversationID?
  /// Only what comes before this place in the order; without `after`, the last of those.
  public var before: ConversationID?
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

/// A part of the conversations that a query asks for.
public struct ConversationPage: Sendable {
  /// In the order of the query.
  public var conversations: [Conversation] = []
  /// Whether there are more in the direction of the query.
  public var hasMore = false
  /// Those that belong here and cannot be shown: what is stored of them is not valid.
  public var unreadable: [String] = []

  /// An empty page.
  public init() {}
}
