public import Conversations

/// What an append added.
public struct AppendedItems: Sendable {
  /// In the order sent.
  public let items: [Item]
  /// Whether an earlier request added them, so that nothing new is stored.
  public let isReplay: Bool

  /// - Parameters:
  ///   - items: In the order sent.
  ///   - isReplay: Whether an earlier request added them.
  public init(items: [Item], isReplay: Bool) {
    self.items = items
    self.isReplay = isReplay
  }
}

/// Some of a conversation's items.
public struct ItemPage: Sendable {
  /// The most bytes of a page, unless it has one item alone.
  public static let bytesMax = 8 << 20
  /// What stands around the items of a page, at most: `{"object":"list","data":[],"first_id":"",
  /// "has_more":false,"last_id":""}` with two ids.
  public static let envelopeBytesMax = 72 + 2 * ItemID.lengthMax
  /// What stands around the id, the type and the fields of an item: `{"id":"","type":"",` instead of
  /// the fields' first brace, and a comma.
  private static let itemFrameBytes = 19

  /// In the order asked for.
  public var items: [Item] = []
  /// Whether there are more behind the last, or, where `before` alone was given, before the first.
  public var hasMore = false
  /// How many were left out, since their rows cannot be shown.
  public var unreadableCount = 0

  /// An empty page.
  public init() {}

  /// How many bytes an item takes in a page.
  public static func bytes(of item: Item) -> Int {
    itemFrameBytes + item.id.description.utf8.count + item.type.utf8.count + item.fields.count
  }
}

extension [AddedItem] {
  /// How much is written, roughly.
  public var byteCount: Int {
    reduce(0) { count, added in
      switch added {
      case .minted(let item), .item(let item): count + item.fields.count
      case .reference: count
      }
    }
  }
}
