public import Conversations

/// Some of the conversations that an export has, in the order of their ids.
public struct ExportPage: Sendable {
  /// How many bytes a page has, about, unless it has one item alone.
  public static let bytesMax = 8 << 20
  /// The most items of one record.
  public static let itemsMax = 20_000
  /// The most JSON values of the items of one record, unless it has one item alone.
  public static let valuesMax = 200_000

  /// The conversations.
  public var records: [ConversationRecord] = []
  /// Where the next page begins; nil when there is nothing more.
  public var next: ExportPlace?
  /// Conversations that belong here and cannot be shown: what is stored of them is not valid.
  public var unreadable: [String] = []
  /// How many items were left out, since their rows cannot be shown.
  public var unreadableItemCount = 0

  /// An empty page.
  public init() {}
}

/// A place in an export: after a conversation, or inside one that does not fit into one record.
public struct ExportPlace: Equatable, Sendable, CustomStringConvertible {
  /// The conversation.
  public let id: ConversationID
  /// The last item before the place; nil after the whole conversation.
  public let last: Item?

  /// The last item of a piece. It may be deleted before the next piece is read.
  public struct Item: Equatable, Sendable {
    /// The engine's number of it.
    public let position: Int64
    /// Its id.
    public let id: ItemID

    /// - Parameters:
    ///   - position: The engine's number of it.
    ///   - id: Its id.
    public init(at position: Int64, _ id: ItemID) {
      self.position = position
      self.id = id
    }
  }

  /// - Parameters:
  ///   - id: The conversation.
  ///   - last: The last item before the place.
  public init(_ id: ConversationID, after last: Item? = nil) {
    self.id = id
    self.last = last
  }

  /// Reads the form of `description`; nil for every other.
  public init?(_ text: String) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard let id = ConversationID(String(parts[0])) else { return nil }
    guard parts.count > 1 else {
      self.init(id)
      return
    }
    guard parts.count == 3, let position = Int64(parts[1]), position > 0,
      "\(position)" == parts[1], let item = ItemID(String(parts[2]))
    else { return nil }
    self.init(id, after: Item(at: position, item))
  }

  /// The id, and the number and the id of an item where there is one, with dots between them.
  public var description: String { last.map { "\(id).\($0.position).\($0.id)" } ?? "\(id)" }
}

extension ExportPage {
  /// Fills a page, conversation by conversation and item by item, and notices when it is full.
  ///
  /// A conversation that does not fit behind others begins the next page. Only where it is too large for
  /// a page of its own it is cut into several records.
  public struct Builder {
    /// The page, whole once the builder was told so.
    public private(set) var page = ExportPage()
    private let bytesMax: Int
    private var bytes = 0
    private var open: Open?

    private struct Open {
      let conversation: Conversation
      let lastActivityMicroseconds: Int64
      let afterItem: ItemID?
      var items: [ItemRecord] = []
      var bytes: Int
      var values = 0
      var last: ExportPlace.Item?
    }

    /// - Parameter bytesMax: How many bytes the page has, about.
    public init(bytesMax: Int = ExportPage.bytesMax) {
      self.bytesMax = bytesMax
    }

    /// How many bytes are left.
    public var bytesLeft: Int { max(0, bytesMax - bytes - (open?.bytes ?? 0)) }

    /// Begins a conversation.
    ///
    /// - Parameter afterItem: The item before its first one here, when an earlier page has that.
    /// - Returns: False when the page is full.
    public mutating func begin(
      _ conversation: Conversation, lastActivityMicroseconds: Int64, afterItem: ItemID? = nil
    ) -> Bool {
      var size = Self.frameBytes
      conversation.metadata.forEach {
        size += Self.bytesMax(of: $0) + Self.bytesMax(of: $1) + Self.pairFrameBytes
      }
      guard page.records.isEmpty || bytes + size <= bytesMax else { return endBefore() }
      open = Open(
        conversation: conversation, lastActivityMicroseconds: lastActivityMicroseconds,
        afterItem: afterItem, bytes: size)
      return true
    }

    /// What stands around the metadata and the items of a record.
    private static let frameBytes = 320
    private static let pairFrameBytes = 6

    /// How many bytes a text has at most in JSON.
    private static func bytesMax(of text: Span<UInt8>) -> Int {
      var count = 0
      for index in text.indices {
        let byte = text[index]
        let isMarked = byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
        count += byte < 0x20 ? 6 : isMarked ? 2 : 1
      }
      return count
    }

    /// Adds an item to the conversation that was begun last.
    ///
    /// - Parameters:
    ///   - item: The item; nil when it is too large for the page, as the engine knows.
    ///   - position: The engine's number of it.
    /// - Returns: False when the page is full.
    public mutating func add(_ item: ItemRecord?, position: Int64) -> Bool {
      guard var open else { preconditionFailure("no conversation was begun") }
      let values = item?.valueCountMax ?? 0
      let fits =
        item.map { bytes + open.bytes + $0.byteCount <= bytesMax } ?? false
        && open.items.count < ExportPage.itemsMax && open.values + values <= ExportPage.valuesMax
      guard fits || page.records.isEmpty && open.items.isEmpty, let item else {
        if !page.records.isEmpty { return endBefore() }
        end(hasMore: true)
        page.next = ExportPlace(open.conversation.id, after: open.last)
        return false
      }
      open.items.append(item)
      open.bytes += item.byteCount
      open.values += values
      open.last = ExportPlace.Item(at: position, item.item.id)
      self.open = open
      return true
    }

    /// Counts an item that cannot be shown.
    public mutating func leaveOutItem() {
      page.unreadableItemCount += 1
    }

    /// Counts a conversation that cannot be shown.
    public mutating func leaveOut(_ conversation: String) {
      page.unreadable.append(conversation)
    }

    /// Ends the conversation that was begun last: it is whole.
    public mutating func end() {
      end(hasMore: false)
    }

    private mutating func end(hasMore: Bool) {
      guard let open else { preconditionFailure("no conversation was begun") }
      page.records.append(
        ConversationRecord(
          open.conversation, lastActivityMicroseconds: open.lastActivityMicroseconds,
          items: open.items, afterItem: open.afterItem, hasMore: hasMore))
      bytes += open.bytes
      self.open = nil
    }

    /// Ends the page after the last whole conversation, without the one that was begun.
    ///
    /// - Returns: False.
    /// - Precondition: There is one.
    @discardableResult
    public mutating func endBefore() -> Bool {
      open = nil
      page.next = ExportPlace(page.records.last!.conversation.id)
      return false
    }
  }
}
