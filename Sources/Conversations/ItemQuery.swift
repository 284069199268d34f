/// What is asked of the items of a conversation: a page of them (contract, section 8.5).
public struct ItemQuery: Equatable, Sendable {
  /// The most items of a page.
  public var limit = 20
  /// The order, by the place in the conversation.
  public var order = ConversationQuery.Order.descending
  /// The id of the item after which the page begins, in that order; any text.
  public var after: String?
  /// The id of the item before which the page ends, in that order; any text.
  public var before: String?

  /// The newest 20.
  public init() {}

  /// Whether the page is filled from its end.
  public var isBackwards: Bool { before != nil && after == nil }
}
