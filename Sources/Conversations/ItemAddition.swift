extension [AddedItem] {
  /// Decides what is stored for items, and refuses what cannot be, before anything is written: the rules
  /// that every engine keeps. Copies take the place of references, and of ids that this service minted
  /// and the project has.
  ///
  /// - Parameters:
  ///   - copiesBytesMax: How large the copies may be together.
  ///   - newest: Finds the project's newest item with an id; nil when there is none.
  ///   - isInConversation: Whether the conversation has an item with an id. Not asked for ids that were
  ///     minted for this request, which nobody has.
  ///   - refusal: Turns a refusal into the error of the caller.
  /// - Returns: The items to store, in the order sent.
  /// - Throws: A refusal, or what the functions throw.
  public func resolved<Refusal: Error>(
    copiesBytesMax: Int, newest: (String) throws(Refusal) -> Item?,
    isInConversation: (ItemID) throws(Refusal) -> Bool,
    refusal: (ItemRefusal) -> Refusal
  ) throws(Refusal) -> [Item] {
    var addition = ItemAddition(copiesBytesMax: copiesBytesMax)
    for added in self {
      switch added {
      case .minted(let item):
        addition.append(item, isMinted: true)
      case .item(let item):
        let copy = item.id.isOfMintedForm ? try newest(item.id.description) : nil
        if let copy { addition.append(copy: copy) } else { addition.append(item) }
      case .reference(let id):
        guard let copy = try newest(id) else { throw refusal(.referenceNotFound(id: id)) }
        addition.append(copy: copy)
      }
    }
    var ids: Set<ItemID> = []
    for (item, isMinted) in addition.items {
      let isThere = isMinted ? false : try isInConversation(item.id)
      guard !isThere, ids.insert(item.id).inserted else { throw refusal(.alreadyInConversation) }
    }
    guard addition.copiesBytes <= copiesBytesMax else {
      throw refusal(.copiesTooLarge(bytesMax: copiesBytesMax))
    }
    return addition.items.map(\.item)
  }
}

/// The items of one request, as far as they are resolved.
private struct ItemAddition {
  let copiesBytesMax: Int
  var items: [(item: Item, isMinted: Bool)] = []
  var copiesBytes = 0

  init(copiesBytesMax: Int) {
    self.copiesBytesMax = copiesBytesMax
  }

  mutating func append(_ item: Item, isMinted: Bool = false) {
    items.append((item, isMinted))
  }

  /// Copies past the limit are empty, since only their ids are looked at then.
  mutating func append(copy: Item) {
    copiesBytes += copy.fields.count
    let isKept = copiesBytes <= copiesBytesMax
    append(isKept ? copy : Item(id: copy.id, type: copy.type, fields: []))
  }
}

/// Why items are not added.
public enum ItemRefusal: Error, Equatable, Sendable {
  /// The conversation has an item with such an id, or the request has two.
  case alreadyInConversation
  /// A reference to an item that the project does not have.
  case referenceNotFound(id: String)
  /// The copies that a request asks for are too large together.
  case copiesTooLarge(bytesMax: Int)
}
