/// A message, call or result in a conversation. It never changes.
public struct Item: Equatable, Sendable {
  /// The most items that one request may add.
  public static let addedMax = 20

  /// Its name in the conversation.
  public let id: ItemID
  /// The name of its type.
  public let type: String
  /// Its other members: one compact JSON object in UTF-8, `status` first if it has one, then as they
  /// were sent (contract, section 8.1).
  public let fields: [UInt8]

  /// - Parameter fields: A JSON object as above; who makes it keeps the rules of the type.
  public init(id: ItemID, type: String, fields: [UInt8]) {
    self.id = id
    self.type = type
    self.fields = fields
  }

  /// The SHA-256 of the fields, in 32 bytes.
  public var fieldsHash: [UInt8] { SHA256.hash(fields.span) { Array($0) } }
}

/// What a request adds to a conversation (contract, section 8.4).
public enum AddedItem: Equatable, Sendable {
  /// An item whose id was made for this request, so that nobody has it.
  case minted(Item)
  /// An item. If its id is of the minted form and the project has an item with it, a copy of that
  /// one is added instead.
  case item(Item)
  /// A copy of the project's item with this id, which may be any text.
  case reference(id: String)
}
