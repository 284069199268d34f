internal import Conversations
internal import PostgreSQL
internal import Repository

/// Imports records in one write group, in which no other lane is at work. Some records of a request may
/// be about one conversation, so what it has stored itself counts too.
struct RecordImport {
  private let records: [ConversationRecord]
  private let mintsIDs: Bool
  private let project: ProjectID
  private var newest: ConversationID?
  /// By the place of a record.
  private var found: [Int: Stored] = [:]
  /// What this request has stored itself.
  private var own: [ConversationID: Stored] = [:]
  private var minted: [ConversationID: ConversationID] = [:]
  /// The places of records that go on with a conversation which has one of their items already.
  private var known: Set<Int> = []

  /// What is stored of a conversation.
  fileprivate struct Stored {
    let metadata: Metadata?
    var lastActivityMicroseconds: Int64
    var lastPosition: Int64
    /// Whether the item is there after which the record's would follow.
    var hasPlace = true
    /// After that one.
    var items: [ItemFingerprint] = []
    /// The ids of those that this request has stored, which are the last.
    var ownItems: [(id: ItemID, ItemFingerprint)] = []
  }

  /// How many statements ask.
  static let callCount = 3

  /// What has to be asked before, for records that may be there.
  static func calls(_ records: [ConversationRecord], in project: ProjectID) -> [Call] {
    let ids = records.map(\.conversation.id.bytes)
    let places = records.map { $0.afterItem?.description }
    return [
      WriteStatements.findRecords.call {
        $0.add(project.number)
        $0.add(byteas: ids)
        $0.add(texts: places)
      },
      WriteStatements.findRecordItems.call {
        $0.add(project.number)
        $0.add(byteas: ids)
        $0.add(texts: places)
        $0.add(int64s: records.map { Int64($0.items.count) + 1 })
      },
      WriteStatements.findItems.call {
        let items = continuingItems(of: records)
        $0.add(int64s: items.map { _ in project.number })
        $0.add(byteas: items.map { records[$0.place].conversation.id.bytes })
        $0.add(texts: items.map(\.id))
      },
    ]
  }

  /// The items of records that go on with a conversation.
  private static func continuingItems(
    of records: [ConversationRecord]
  ) -> [(place: Int, id: String)] {
    records.indices.filter { records[$0].afterItem != nil }.flatMap { place in
      records[place].items.map { (place, $0.item.id.description) }
    }
  }

  /// - Parameters:
  ///   - rows: The answers to `calls`.
  ///   - newest: The newest id that ever was, also of the requests before in the group.
  init(
    _ records: [ConversationRecord], mintsIDs: Bool, in project: ProjectID, _ rows: [Rows],
    newest: ConversationID?
  ) {
    self.records = records
    self.mintsIDs = mintsIDs
    self.project = project
    self.newest = newest
    for row in 0..<rows[0].count {
      let place = Int(rows[0].int64(row, 0)) - 1
      found[place] = Stored(
        metadata: rows[0].withBytes(row, 1) { Metadata(document: $0) },
        lastActivityMicroseconds: rows[0].int64(row, 2), lastPosition: rows[0].int64(row, 3),
        hasPlace: records[place].afterItem == nil || !rows[0].isNull(row, 4))
    }
    for row in 0..<rows[1].count {
      found[Int(rows[1].int64(row, 0)) - 1]?.items.append(
        ItemFingerprint(
          id: rows[1].text(row, 1), type: rows[1].text(row, 2), createdAt: rows[1].int64(row, 3),
          fieldsHash: rows[1].bytes(row, 4)))
    }
    let items = rows[2].count > 0 ? Self.continuingItems(of: records) : []
    for row in 0..<rows[2].count { known.insert(items[Int(rows[2].int64(row, 0)) - 1].place) }
  }

  /// Decides each record, one after another.
  mutating func run(_ changes: inout Changes) -> [ImportOutcome] {
    var outcomes: [ImportOutcome] = []
    for (place, record) in records.enumerated() {
      outcomes.append(outcome(of: record, at: place, &changes))
    }
    return outcomes
  }

  private mutating func outcome(
    of record: ConversationRecord, at place: Int, _ changes: inout Changes
  ) -> ImportOutcome {
    if mintsIDs, record.afterItem == nil {
      let id = changes.insertCopy(of: record, in: project)
      minted[record.conversation.id] = id
      own[id] = Stored(record, id)
      return .created(id)
    }
    let copy = minted[record.conversation.id]
    // What it goes on with is not of this import.
    guard !mintsIDs || copy != nil else { return .outOfOrder }
    let record = copy.map(record.renamed) ?? record
    let id = record.conversation.id
    var stored = own[id] ?? found[place]
    let isKnown = copy == nil && known.contains(place)
    let view = stored.map { Self.view($0, record, isKnown: isKnown) }
    switch record.decided(beside: view, newest: newest) {
    case .create:
      changes.insert(record, in: project)
      newest = id
      own[id] = Stored(record, id)
      return .created(id)
    case .append:
      let key = ConversationKey(id, in: project)
      changes.append(record, to: key, after: stored!.lastPosition)
      stored!.append(record)
      own[id] = stored
      return .continued
    case .nothing(let outcome): return outcome
    }
  }

  /// What a record is compared with.
  ///
  /// - Parameter isKnown: Whether one of its items was there before this request.
  private static func view(
    _ stored: Stored, _ record: ConversationRecord, isKnown: Bool
  ) -> StoredRecord {
    var items: [ItemFingerprint]?
    if let afterItem = record.afterItem,
      let index = stored.ownItems.firstIndex(where: { $0.id == afterItem })
    {
      items = stored.ownItems[(index + 1)...].map(\.1)
    } else if stored.hasPlace {
      items = stored.items + stored.ownItems.map(\.1)
    }
    return StoredRecord(
      metadata: stored.metadata, lastActivityMicroseconds: stored.lastActivityMicroseconds,
      items: items.map { Array($0.prefix(record.items.count + 1)) },
      hasItems: isKnown || items == [] && stored.has(record.items))
  }
}

extension RecordImport.Stored {
  /// What was just stored of a record, under an id.
  init(_ record: ConversationRecord, _ id: ConversationID) {
    let stored = record.renamed(to: id)
    self.init(
      metadata: stored.conversation.metadata,
      lastActivityMicroseconds: stored.lastActivityMicroseconds, lastPosition: 0)
    append(stored)
  }

  mutating func append(_ record: ConversationRecord) {
    ownItems += record.items.map { ($0.item.id, $0.fingerprint) }
    lastPosition += Int64(record.items.count)
    lastActivityMicroseconds = max(lastActivityMicroseconds, record.lastActivityMicroseconds)
  }

  /// Whether one of the items was stored by this request.
  func has(_ records: [ItemRecord]) -> Bool {
    guard !ownItems.isEmpty else { return false }
    let ids = Set(ownItems.map(\.id))
    return records.contains { ids.contains($0.item.id) }
  }
}
