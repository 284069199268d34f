internal import Conversations
internal import PostgreSQL
internal import Repository

/// What was found of what the requests of a group asked.
struct Found {
  /// A conversation, locked until the group ends.
  struct Stored {
    /// nil when it cannot be shown.
    let metadata: Metadata?
    let lastPosition: Int64
    let activity: Activity
  }

  /// A creation under an idempotency key.
  struct Creation {
    let requestHash: [UInt8]
    let createdAt: Int64
    let answer: StoredResponse?
  }

  /// An append under an idempotency key.
  struct Append {
    let requestHash: [UInt8]
    let createdAt: Int64
    let conversation: [UInt8]
    let positions: Range<Int64>
  }

  /// An item that may be copied.
  enum Original {
    case item(Item)
    case unreadable
    /// The copies of its request are too large with it.
    case tooLarge(type: String)
  }

  /// Where an item that may be copied is.
  private struct Place {
    let conversation: [UInt8]
    let position: Int64
    let type: String
    let byteCount: Int
  }

  /// The moment of the group, in Unix microseconds.
  let now: Int64
  let settings: StoreSettings
  private(set) var conversations: [ConversationKey: Stored] = [:]
  private(set) var creations: [NameKey: Creation] = [:]
  private(set) var appends: [NameKey: Append] = [:]
  private(set) var positions: [ItemKey: Int64] = [:]
  private(set) var originals: [NameKey: Original] = [:]
  private(set) var replayed: [NameKey: [Item]] = [:]
  /// The newest id that the database ever had, of requests that ask for it.
  private(set) var newestID: ConversationID?
  private var others: [Int: [Rows]] = [:]
  private var places: [NameKey: Place] = [:]
  /// The request that is decided now.
  var request = 0

  /// The answer to the last that the request itself asked.
  var own: Rows { others[request]!.last! }

  /// The answers to all that the request itself asked.
  var allOwn: [Rows] { others[request]! }

  /// - Parameter results: Those of `questions.calls()`.
  init(_ questions: Questions, _ results: ArraySlice<Rows>, now: Int64, _ settings: StoreSettings) {
    self.now = now
    self.settings = settings
    var results = results
    if questions.stopsOtherLanes {
      let rows = results.removeFirst()
      newestID = rows.count == 1 ? ConversationID(bytes: rows.bytes(0, 0)) : nil
    }
    if !questions.conversations.isEmpty {
      readConversations(results.removeFirst(), questions.conversations.sorted())
    }
    if !questions.creationKeys.isEmpty {
      readCreations(results.removeFirst(), questions.creationKeys)
    }
    if !questions.appendKeys.isEmpty { readAppends(results.removeFirst(), questions.appendKeys) }
    if !questions.items.isEmpty {
      let rows = results.removeFirst()
      for row in 0..<rows.count {
        positions[questions.items[Int(rows.int64(row, 0)) - 1]] = rows.int64(row, 1)
      }
    }
    if !questions.copied.isEmpty { readPlaces(results.removeFirst(), questions.copied.map(\.key)) }
    for other in questions.others {
      others[other.request, default: []].append(results.removeFirst())
    }
  }

  private mutating func readConversations(_ rows: Rows, _ keys: [ConversationKey]) {
    for row in 0..<rows.count {
      conversations[keys[Int(rows.int64(row, 0)) - 1]] = Stored(
        metadata: rows.withBytes(row, 1) { Metadata(document: $0) },
        lastPosition: rows.int64(row, 2),
        activity: Activity(lastMicroseconds: rows.int64(row, 3), itemCount: rows.int64(row, 4)))
    }
  }

  private mutating func readCreations(_ rows: Rows, _ keys: [NameKey]) {
    for row in 0..<rows.count {
      let hash = ContentHash(String(hexadecimal: rows.bytes(row, 4)))
      creations[keys[Int(rows.int64(row, 0)) - 1]] = Creation(
        requestHash: rows.bytes(row, 1), createdAt: rows.int64(row, 2),
        answer: hash.map {
          StoredResponse(text: rows.text(row, 3), contentHash: $0, isReplay: true)
        })
    }
  }

  private mutating func readAppends(_ rows: Rows, _ keys: [NameKey]) {
    for row in 0..<rows.count {
      let first = rows.int64(row, 4)
      appends[keys[Int(rows.int64(row, 0)) - 1]] = Append(
        requestHash: rows.bytes(row, 1), createdAt: rows.int64(row, 2),
        conversation: rows.bytes(row, 3), positions: first..<rows.int64(row, 5) + 1)
    }
  }

  private mutating func readPlaces(_ rows: Rows, _ keys: [NameKey]) {
    for row in 0..<rows.count {
      places[keys[Int(rows.int64(row, 0)) - 1]] = Place(
        conversation: rows.bytes(row, 1), position: rows.int64(row, 2), type: rows.text(row, 3),
        byteCount: Int(rows.int64(row, 4)))
    }
  }

  // MARK: What is read only when it is needed

  /// The statements for the content of copies and of repeated appends, which few groups need.
  func furtherCalls(_ questions: Questions) -> [Call] {
    var calls: [Call] = []
    let copies = copies(questions)
    if !copies.isEmpty {
      calls.append(
        WriteStatements.readItems.call {
          $0.add(int64s: copies.map(\.project))
          $0.add(byteas: copies.map { places[$0]!.conversation })
          $0.add(int64s: copies.map { places[$0]!.position })
          $0.add(int64s: copies.map { places[$0]!.position })
        })
    }
    let replays = replays(questions)
    if !replays.isEmpty {
      calls.append(
        WriteStatements.readItems.call {
          $0.add(int64s: replays.map(\.project))
          $0.add(byteas: replays.map { appends[$0]!.conversation })
          $0.add(int64s: replays.map { appends[$0]!.positions.lowerBound })
          $0.add(int64s: replays.map { appends[$0]!.positions.upperBound - 1 })
        })
    }
    return calls
  }

  /// - Parameter results: Those of `furtherCalls`.
  mutating func read(_ questions: Questions, further results: [Rows]) {
    var results = results[...]
    let copies = copies(questions)
    let replays = replays(questions)
    for (key, place) in places { originals[key] = .tooLarge(type: place.type) }
    if !copies.isEmpty {
      // One that was deleted a moment ago is not there any more.
      for key in copies { originals[key] = nil }
      let rows = results.removeFirst()
      for row in 0..<rows.count {
        let item = Item(rows, row, from: 1)
        originals[copies[Int(rows.int64(row, 0)) - 1]] = item.map { .item($0) } ?? .unreadable
      }
    }
    if !replays.isEmpty {
      let rows = results.removeFirst()
      for row in 0..<rows.count {
        guard let item = Item(rows, row, from: 1) else { continue }
        replayed[replays[Int(rows.int64(row, 0)) - 1], default: []].append(item)
      }
    }
  }

  /// How many bytes the requests of the group copy, or repeat: of repeats nobody knows before they are
  /// read.
  func copiedBytes(_ questions: Questions) -> Int {
    let copied = questions.copied.reduce(0) { $0 + (places[$1.key]?.byteCount ?? 0) }
    return copied + replays(questions).count * Self.replayedBytes
  }

  /// What a repeated append is taken to bring.
  private static let replayedBytes = 1 << 20

  /// The originals whose content is read: of each request, as many as it may copy.
  private func copies(_ questions: Questions) -> [NameKey] {
    var keys: Set<NameKey> = []
    var bytes: [Int: Int] = [:]
    for (request, key) in questions.copied {
      guard let place = places[key] else { continue }
      bytes[request, default: 0] += place.byteCount
      if bytes[request]! <= settings.copiesBytesMax { keys.insert(key) }
    }
    return keys.sorted()
  }

  private func replays(_ questions: Questions) -> [NameKey] {
    questions.appendKeys.filter { key in
      appends[key].map { !$0.positions.isEmpty && isRemembered($0.createdAt) } ?? false
    }
  }

  // MARK: For decisions

  /// The moment of the group in Unix seconds.
  var seconds: Int64 { now / 1_000_000 }

  /// Whether an idempotency key of that second still counts.
  func isRemembered(_ createdAt: Int64) -> Bool {
    createdAt > seconds - Int64(settings.idempotencySeconds)
  }

  /// Finds what is to be stored for items, by the rules that every engine keeps.
  ///
  /// - Parameter conversation: The one that they are for; nil for one that is not there yet.
  /// - Throws: `.item`, `.unreadableItem`.
  func resolved(
    _ added: [AddedItem], for conversation: ConversationKey?, in project: ProjectID
  ) throws(RepositoryError) -> [Item] {
    try added.resolved(
      copiesBytesMax: settings.copiesBytesMax,
      newest: { id throws(RepositoryError) in try copy(of: id, in: project) },
      isInConversation: { id throws(RepositoryError) in
        guard let conversation else { return false }
        return positions[ItemKey(conversation: conversation, id: id.description)] != nil
      }, refusal: { RepositoryError($0) })
  }

  private func copy(of id: String, in project: ProjectID) throws(RepositoryError) -> Item? {
    switch originals[NameKey(id, in: project)] {
    case nil: return nil
    case .unreadable: throw .unreadableItem
    case .item(let item): return item
    case .tooLarge(let type):
      guard let id = ItemID(id) else { throw .unreadableItem }
      // Only its size counts: the request is refused.
      let size = settings.copiesBytesMax + 1
      return Item(id: id, type: type, fields: [UInt8](repeating: 0, count: size))
    }
  }
}
