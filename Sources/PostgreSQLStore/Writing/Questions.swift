internal import Conversations
internal import PostgreSQL

/// What the requests of a group need to know before they are decided: all of it is read in one round
/// trip, and the conversations are locked.
struct Questions {
  var conversations: Set<ConversationKey> = []
  var creationKeys: [NameKey] = []
  var appendKeys: [NameKey] = []
  /// Whether conversations have these items.
  var items: [ItemKey] = []
  /// The newest items of a project that have these ids, by request: copies may be made of them.
  var copied: [(request: Int, key: NameKey)] = []
  /// What a request of a rare kind asks by itself.
  var others: [(request: Int, call: Call)] = []
  /// Whether no other lane, of any program, may be in a group meanwhile, and what the newest id is.
  var stopsOtherLanes = false
  /// The request that asks now.
  var request = 0

  /// Asks what `[AddedItem].resolved` needs.
  ///
  /// - Parameter conversation: The one that the items are for; nil for one that is not there yet.
  mutating func ask(
    about added: [AddedItem], for conversation: ConversationKey?, in project: ProjectID
  ) {
    for one in added {
      switch one {
      case .minted: continue
      case .item(let item):
        let id = item.id.description
        if item.id.isOfMintedForm { copied.append((request, NameKey(id, in: project))) }
        if let conversation { items.append(ItemKey(conversation: conversation, id: id)) }
      case .reference(let id):
        // No item has such an id, and PostgreSQL takes no text with U+0000.
        guard !id.utf8.contains(0) else { continue }
        copied.append((request, NameKey(id, in: project)))
        if let conversation { items.append(ItemKey(conversation: conversation, id: id)) }
      }
    }
  }

  /// The statements that ask, in the order in which `Found` reads their results.
  func calls() -> [Call] {
    var calls: [Call] = []
    // Before every other lock: the groups that are waited for want those too.
    if stopsOtherLanes { calls.append(WriteStatements.stopOtherLanes.call()) }
    if !conversations.isEmpty {
      let sorted = conversations.sorted()
      calls.append(
        WriteStatements.lock.call {
          $0.add(int64s: sorted.map(\.project))
          $0.add(byteas: sorted.map(\.id))
        })
    }
    // Behind the locks: what another program has done under them is seen.
    if !creationKeys.isEmpty {
      calls.append(Self.call(WriteStatements.findCreationKeys, creationKeys))
    }
    if !appendKeys.isEmpty { calls.append(Self.call(WriteStatements.findAppendKeys, appendKeys)) }
    if !items.isEmpty {
      calls.append(
        WriteStatements.findItems.call {
          $0.add(int64s: items.map(\.conversation.project))
          $0.add(byteas: items.map(\.conversation.id))
          $0.add(texts: items.map(\.id))
        })
    }
    if !copied.isEmpty {
      calls.append(Self.call(WriteStatements.findNewestItems, copied.map(\.key)))
    }
    return calls + others.map(\.call)
  }

  private static func call(_ statement: Statement, _ keys: [NameKey]) -> Call {
    statement.call {
      $0.add(int64s: keys.map(\.project))
      $0.add(texts: keys.map(\.name))
    }
  }
}
