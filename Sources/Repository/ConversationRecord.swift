public import Conversations

/// A conversation as an export has it and an import takes it: with its times and all of its items or,
/// where those are too many for one record, some of them.
public struct ConversationRecord: Equatable, Sendable {
  /// The conversation itself.
  public let conversation: Conversation
  /// The moment of its last activity, in Unix microseconds.
  public let lastActivityMicroseconds: Int64
  /// Items of it, in their order.
  public let items: [ItemRecord]
  /// The item after which `items` follow, when an earlier record has that and what is before it.
  public let afterItem: ItemID?
  /// Whether the conversation has more items, which a later record has.
  public let hasMore: Bool

  /// - Parameters:
  ///   - conversation: The conversation itself.
  ///   - lastActivityMicroseconds: The moment of its last activity, which becomes that of its creation or
  ///     of its newest item where that is later.
  ///   - items: Items of it, in their order.
  ///   - afterItem: The item after which they follow.
  ///   - hasMore: Whether a later record has more.
  public init(
    _ conversation: Conversation, lastActivityMicroseconds: Int64 = 0, items: [ItemRecord] = [],
    afterItem: ItemID? = nil, hasMore: Bool = false
  ) {
    self.conversation = conversation
    self.items = items
    self.afterItem = afterItem
    self.hasMore = hasMore
    self.lastActivityMicroseconds = items.reduce(
      max(lastActivityMicroseconds, conversation.id.createdAtMicroseconds)
    ) { max($0, $1.createdAt * 1_000_000) }
  }

  /// The same record of a conversation that has another id.
  public func renamed(to id: ConversationID) -> ConversationRecord {
    ConversationRecord(
      Conversation(id: id, metadata: conversation.metadata),
      lastActivityMicroseconds: lastActivityMicroseconds, items: items, afterItem: afterItem,
      hasMore: hasMore)
  }

  /// How much it brings, roughly.
  public var byteCount: Int { items.reduce(512) { $0 + $1.byteCount } }
}

/// Records of one project.
public struct ProjectRecords: Sendable {
  /// The project.
  public let project: ProjectID
  /// The records, in the order of their ids.
  public var records: [ConversationRecord]

  /// - Parameters:
  ///   - project: The project.
  ///   - records: The records, in the order of their ids.
  public init(_ project: ProjectID, _ records: [ConversationRecord]) {
    self.project = project
    self.records = records
  }
}

/// An item with the time at which it was added.
public struct ItemRecord: Equatable, Sendable {
  /// The item itself.
  public let item: Item
  /// When it was added, in Unix seconds.
  public let createdAt: Int64

  /// - Parameters:
  ///   - item: The item itself.
  ///   - createdAt: When it was added, in Unix seconds.
  public init(_ item: Item, createdAt: Int64) {
    self.item = item
    self.createdAt = createdAt
  }

  /// Tells this item from every other, without its content.
  public var fingerprint: ItemFingerprint {
    ItemFingerprint(
      id: item.id.description, type: item.type, createdAt: createdAt,
      fieldsHash: item.fieldsHash)
  }

  /// How much it takes in an export.
  var byteCount: Int { ItemPage.bytes(of: item) + Self.timeBytes }

  /// A second and a comma.
  private static let timeBytes = 11

  /// How many JSON values its fields have, those counted too that only seem to be some.
  var valueCountMax: Int {
    item.fields.withUnsafeBytes { bytes in
      var count = 0
      var index = 0
      // Eight bytes at a time, as long as there is nothing.
      while index < bytes.count {
        if index + 8 <= bytes.count,
          !Self.hasPunctuation(bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
        {
          index += 8
          continue
        }
        switch bytes[index] {
        case UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "{"): count += 1
        default: break
        }
        index += 1
      }
      return count
    }
  }

  /// Whether one of eight bytes is `,` `:` `[` or `{`.
  private static func hasPunctuation(_ word: UInt64) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let (comma, colon) = (word ^ (ones &* 0x2c), word ^ (ones &* 0x3a))
    let (bracket, brace) = (word ^ (ones &* 0x5b), word ^ (ones &* 0x7b))
    // The high bit of a byte is set where it is zero; a borrow may set it also in a byte after that.
    let found =
      (comma &- ones) & ~comma | (colon &- ones) & ~colon | (bracket &- ones) & ~bracket
      | (brace &- ones) & ~brace
    return found & (ones &* 0x80) != 0
  }
}

/// What tells an item from every other.
public struct ItemFingerprint: Equatable, Sendable {
  private let id: String
  private let type: String
  private let createdAt: Int64
  private let fieldsHash: [UInt8]

  /// - Parameters:
  ///   - id: Its id.
  ///   - type: The name of its type.
  ///   - createdAt: When it was added, in Unix seconds.
  ///   - fieldsHash: The SHA-256 of its fields.
  public init(id: String, type: String, createdAt: Int64, fieldsHash: [UInt8]) {
    self.id = id
    self.type = type
    self.createdAt = createdAt
    self.fieldsHash = fieldsHash
  }
}
