internal import Conversations
internal import PostgreSQL
internal import Repository
internal import Synchronization

/// A look-up that waits for its group.
struct WaitingLookUp: LaneRequest {
  let lookUp: LookUp
  let answer: @Sendable (Result<Finding, RepositoryError>) -> Void
  let queuedAt = ContinuousClock.now

  var resources: [Never] { [] }
  var bytes: Int { 0 }
}

/// Answers look-ups, a group at a time, on one connection.
///
/// `@unchecked Sendable` because the connection is touched by the thread of the lane alone.
final class LookUpLane: @unchecked Sendable {
  private let connection: LaneConnection
  private let counters: Counters
  /// Answers Unix microseconds instead of the database, for tests.
  private let testClock: (@Sendable () -> Int64)?
  private let keyUses: KeyUses
  private let health: Health

  init(
    _ settings: SessionSettings, counters: Counters, keyUses: KeyUses, health: Health,
    clock: (@Sendable () -> Int64)?
  ) {
    connection = LaneConnection(settings, counters: counters)
    self.counters = counters
    self.keyUses = keyUses
    self.health = health
    testClock = clock
  }

  func close() {
    connection.close()
  }

  func run(_ group: [WaitingLookUp]) {
    counters.lookUpGroups.add(1, ordering: .relaxed)
    counters.lookUps.add(group.count, ordering: .relaxed)
    let items = group.filter(\.isOfItem)
    let others = group.filter { !$0.isOfItem }
    let deadline = (group.map(\.queuedAt).min() ?? .now) + Patience.reconnecting
    do throws(RepositoryError) {
      let results = try results(of: calls(others, items), until: deadline)
      health.succeeded(.reading)
      if !others.isEmpty { answer(others, results[0]) }
      if !items.isEmpty { answer(items, results[results.count - 1]) }
    } catch {
      health.failed(.reading, error)
      // One of them may be about a row that nobody can read: the others are not.
      guard connection.isOpen, group.count > 1, .now < deadline else {
        for request in group { request.answer(.failure(error)) }
        return
      }
      for request in group { run([request]) }
    }
  }

  /// Reads change nothing, so what was lost is asked again.
  private func results(
    of calls: [Call], until deadline: ContinuousClock.Instant
  ) throws(RepositoryError) -> [Rows] {
    while true {
      do {
        try connection.open(until: deadline)
      } catch {
        throw error.asRepositoryError
      }
      do {
        return try connection.run(calls)
      } catch {
        if connection.isOpen || .now >= deadline { throw RepositoryError(error) }
      }
    }
  }

  private func calls(_ others: [WaitingLookUp], _ items: [WaitingLookUp]) -> [Call] {
    var calls: [Call] = []
    if !others.isEmpty {
      calls.append(
        LookUpStatements.conversations.call { parameters in
          parameters.add(byteas: others.map(\.keyHash))
          parameters.add(byteas: others.map(\.conversation))
          parameters.add(testClock.map { $0() / 1_000_000 })
        })
    }
    if !items.isEmpty {
      calls.append(
        LookUpStatements.items.call { parameters in
          parameters.add(byteas: items.map(\.keyHash))
          parameters.add(byteas: items.map(\.conversation))
          parameters.add(texts: items.map(\.item))
          parameters.add(testClock.map { $0() / 1_000_000 })
        })
    }
    return calls
  }

  private func answer(_ requests: [WaitingLookUp], _ rows: Rows) {
    let now = testClock.map { $0() / 1_000_000 } ?? UnixTime.seconds()
    for row in 0..<rows.count {
      let request = requests[Int(rows.int64(row, 0)) - 1]
      let access = access(request.lookUp, rows, row)
      if let access, access.keyNumber > 0 { keyUses.note(key: access.keyNumber, now: now) }
      request.answer(
        .success(
          Finding(
            access: access,
            value: access == nil ? .success(.nothing) : value(request.lookUp, rows, row))))
    }
  }

  private func access(_ lookUp: LookUp, _ rows: Rows, _ row: Int) -> Access? {
    guard rows.bool(row, 1) || lookUp.requiresKey else { return .withoutKey }
    guard !rows.isNull(row, 2) else { return nil }
    return Access(
      project: ProjectID(number: rows.int64(row, 3)), projectName: rows.text(row, 4),
      rights: APIKeyRights(isReadOnly: rows.bool(row, 6), isAdmin: rows.bool(row, 7)),
      keyNumber: rows.int64(row, 2), keyName: rows.text(row, 5),
      requestsPerMinute: limit(rows, row))
  }

  private func limit(_ rows: Rows, _ row: Int) -> Int? {
    rows.isNull(row, 12) ? nil : Int(rows.int64(row, 12))
  }

  private func value(
    _ lookUp: LookUp, _ rows: Rows, _ row: Int
  ) -> Result<Finding.Value, RepositoryError> {
    switch lookUp.subject {
    case .nothing: return .success(.nothing)
    case .apiKey:
      return .success(rows.isNull(row, 2) ? .nothing : .apiKey(record(rows, row)))
    case .conversation(let id):
      guard rows.bool(row, 13) else { return .failure(.conversationNotFound) }
      guard let metadata = rows.withBytes(row, 14, { Metadata(document: $0) }) else {
        return .failure(.unreadableConversation(id))
      }
      return .success(.conversation(Conversation(id: id, metadata: metadata)))
    case .item(let id, _):
      guard rows.bool(row, 13) else { return .failure(.conversationNotFound) }
      guard !rows.isNull(row, 14) else { return .failure(.item(.notFound(id: id))) }
      guard let item = Item(rows, row, from: 14) else { return .failure(.unreadableItem) }
      return .success(.item(item))
    }
  }

  private func record(_ rows: Rows, _ row: Int) -> APIKeyRecord {
    APIKeyRecord(
      name: rows.text(row, 5), project: rows.text(row, 4),
      rights: APIKeyRights(isReadOnly: rows.bool(row, 6), isAdmin: rows.bool(row, 7)),
      createdAt: rows.int64(row, 8), expiresAt: rows.isNull(row, 9) ? nil : rows.int64(row, 9),
      lastUsedAt: rows.isNull(row, 10) ? nil : rows.int64(row, 10), isRevoked: false,
      firstCharacters: rows.text(row, 11), requestsPerMinute: limit(rows, row))
  }
}

extension WaitingLookUp {
  fileprivate var isOfItem: Bool { item != nil }

  fileprivate var keyHash: [UInt8]? {
    lookUp.key.map { APIKey.hash(of: $0).hexadecimalBytes }
  }

  fileprivate var conversation: [UInt8]? {
    switch lookUp.subject {
    case .nothing, .apiKey: nil
    case .conversation(let id), .item(_, let id): id.bytes
    }
  }

  /// U+0000 cannot be in a text of PostgreSQL's, and is in no id.
  fileprivate var item: String? {
    guard case .item(let id, _) = lookUp.subject else { return nil }
    return id.utf8.contains(0) ? "" : id
  }
}

extension Item {
  /// Reads the columns `id`, `type` and `fields`.
  ///
  /// - Returns: nil when they cannot be shown.
  init?(_ rows: Rows, _ row: Int, from column: Int) {
    let fields = rows.bytes(row, column + 2)
    guard let id = ItemID(rows.text(row, column)), fields.first == UInt8(ascii: "{"),
      fields.last == UInt8(ascii: "}")
    else { return nil }
    self.init(id: id, type: rows.text(row, column + 1), fields: fields)
  }
}
