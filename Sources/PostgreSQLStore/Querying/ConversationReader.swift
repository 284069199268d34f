internal import Conversations
internal import PostgreSQL
internal import Repository

/// Reads pages of conversations, and counts them, on the connection of a query lane.
struct ConversationReader {
  let session: QuerySession
  let project: ProjectID
  let query: ConversationQuery
  let direction: WalkDirection
  let conditions: WalkConditions

  /// How many steps of a walk one statement makes, so that the deadline is noticed between two.
  static let stepsMax: Int32 = 2000

  /// - Returns: nil for a query that nothing can fulfil.
  init?(_ query: ConversationQuery, in project: ProjectID, on session: QuerySession) {
    guard let conditions = WalkConditions(query.conditions) else { return nil }
    self.session = session
    self.project = project
    self.query = query
    self.conditions = conditions
    direction = (query.order == .ascending) != query.isBackwards ? .up : .down
  }

  /// Reads a page.
  ///
  /// - Throws: `.cursorNotFound`, `.queryTimeout`.
  func page() throws(RepositoryError) -> ConversationPage {
    var page =
      switch query.orderBy {
      case .createdAt: try pageByCreation()
      case .lastActivity: try pageByActivity()
      }
    if query.isBackwards { page.listed.reverse() }
    return page
  }

  /// - Returns: In the order of the walk.
  private func pageByCreation() throws(RepositoryError) -> ConversationPage {
    var page = ConversationPage()
    let limit = Int64(query.limit) + 1
    guard let simple = conditions.simple else {
      return try session.inSnapshot { session throws(RepositoryError) in
        var walk = Walk(conditions, from: range, direction)
        while !walk.isAtEnd, page.listed.count <= query.limit {
          let left = limit - Int64(page.listed.count)
          let rows = try session.run([
            QueryStatements.walk(direction).call { walk.add(to: &$0, project, hitsMax: left) }
          ])[0]
          let hits = (0..<rows.count).filter { rows.bool($0, 4) }
          for row in hits { read(rows, row, into: &page) }
          walk.goOn(
            rows, rows.count - 1, from: 5, isLimited: Int64(hits.count) == left,
            isFull: page.listed.count > query.limit)
        }
        page.endIfFull(query)
        return page
      }
    }
    let rows = try session.run([simple.list(direction, self, limit: limit)])[0]
    for row in 0..<rows.count { read(rows, row, into: &page) }
    page.endIfFull(query, rowCount: rows.count)
    return page
  }

  /// Counts the conversations up to a limit.
  ///
  /// - Returns: The count, and whether it was ended by the deadline.
  func count(upTo limit: Int) throws(RepositoryError) -> (ConversationCount, isComplete: Bool) {
    var value = 0
    do {
      if let simple = conditions.simple {
        value = Int(try session.run([simple.count(self, limit: Int64(limit) + 1)])[0].int64(0, 0))
      } else {
        try session.inSnapshot { session throws(RepositoryError) in
          var walk = Walk(conditions, from: range, .up)
          while !walk.isAtEnd, value <= limit {
            let rows = try session.run([
              QueryStatements.walkCounting(.up).call {
                walk.add(to: &$0, project, hitsMax: Int64(limit + 1 - value))
              }
            ])[0]
            value += Int(rows.int64(0, 0))
            walk.goOn(rows, 0, from: 1, isLimited: false, isFull: value > limit)
          }
        }
      }
    } catch .queryTimeout {
      return (ConversationCount(min(value, limit), isExact: false), false)
    }
    return (ConversationCount(min(value, limit), isExact: value <= limit), true)
  }

  /// A row that cannot be shown is an error of its conversation, and the others are shown.
  func read(_ rows: Rows, _ row: Int, into page: inout ConversationPage) {
    guard !rows.isNull(row, 0), let id = ConversationID(bytes: rows.bytes(row, 0)) else { return }
    guard let metadata = rows.withBytes(row, 1, { Metadata(document: $0) }) else {
      page.unreadable.append(id.description)
      return
    }
    page.listed.append(
      ListedConversation(
        Conversation(id: id, metadata: metadata),
        activity: Activity(lastMicroseconds: rows.int64(row, 2), itemCount: rows.int64(row, 3))))
  }

  // MARK: The range of ids

  /// The places between which the ids lie, none of them included.
  var range: (after: [UInt8], before: [UInt8]) {
    let isAscending = query.order == .ascending
    let lower = place(isAscending ? query.after : query.before)
    let upper = place(isAscending ? query.before : query.after)
    let from = query.createdFrom.map { ConversationID.placeBytes(before: $0) }
    let until = query.createdBefore.map { ConversationID.placeBytes(before: $0) }
    let after = [lower, from].compactMap(\.self).max { $0.lexicographicallyPrecedes($1) }
    let before = [upper, until].compactMap(\.self).min { $0.lexicographicallyPrecedes($1) }
    return (after ?? [], before ?? ConversationID.lastPlaceBytes)
  }

  /// A place in the order of ids; nil for a query in another order.
  private func place(_ cursor: ConversationCursor?) -> [UInt8]? {
    guard query.orderBy == .createdAt, case .conversation(let id) = cursor else { return nil }
    return id.bytes
  }
}

extension ConversationPage {
  /// Takes away the conversation after the last one of the page.
  ///
  /// - Parameter rowCount: How many rows were read, those included that cannot be shown.
  mutating func endIfFull(_ query: ConversationQuery, rowCount: Int = 0) {
    hasMore = max(listed.count, rowCount) > query.limit
    if listed.count > query.limit { listed.removeLast(listed.count - query.limit) }
  }
}

/// The conditions of a query, as the statement of a walk takes them.
struct WalkConditions {
  /// Of each alternative, the number of its condition from 1 on.
  private(set) var numbers: [Int32] = []
  private(set) var keys: [String?] = []
  private(set) var values: [String?] = []
  private(set) var count: Int32 = 0
  private(set) var absent: [String] = []
  /// What needs no walk: all conversations, or those with one pair.
  private(set) var simple: SimpleList?

  /// - Returns: nil when nothing can fulfil them.
  init?(_ conditions: [ConversationQuery.Condition]) {
    for condition in conditions {
      switch condition {
      case .value(let key, let alternatives):
        // No text of PostgreSQL's has U+0000, and no metadata does.
        let possible = alternatives.filter { !$0.utf8.contains(0) }
        guard !key.utf8.contains(0), !possible.isEmpty else { return nil }
        count += 1
        for value in possible { append(key, value) }
      case .exists(let key):
        guard !key.utf8.contains(0) else { return nil }
        count += 1
        append(key, nil)
      case .absent(let key): if !key.utf8.contains(0) { absent.append(key) }
      }
    }
    if count == 0 {
      count = 1
      append(nil, nil)
    }
    guard absent.isEmpty, keys.count == 1 else { return }
    if let key = keys[0] {
      if let value = values[0] { simple = .pair(key: key, value: value) }
    } else {
      simple = .all
    }
  }

  private mutating func append(_ key: String?, _ value: String?) {
    numbers.append(count)
    keys.append(key)
    values.append(value)
  }
}

/// A list that is one range of one index.
enum SimpleList {
  case all
  case pair(key: String, value: String)

  func list(_ direction: WalkDirection, _ reader: ConversationReader, limit: Int64) -> Call {
    switch self {
    case .all: call(QueryStatements.listAll(direction), reader, limit)
    case .pair: call(QueryStatements.listPair(direction), reader, limit)
    }
  }

  func count(_ reader: ConversationReader, limit: Int64) -> Call {
    switch self {
    case .all: call(QueryStatements.countAll, reader, limit)
    case .pair: call(QueryStatements.countPair, reader, limit)
    }
  }

  private func call(_ statement: Statement, _ reader: ConversationReader, _ limit: Int64) -> Call {
    statement.call {
      $0.add(reader.project.number)
      $0.add(reader.range.after)
      $0.add(reader.range.before)
      $0.add(limit)
      guard case .pair(let key, let value) = self else { return }
      $0.add(key)
      $0.add(value)
    }
  }
}

/// How far a walk over the indices of several conditions is.
struct Walk {
  private let conditions: WalkConditions
  private let end: [UInt8]
  private var id: [UInt8]
  private var isBeyond = true
  private var turn: Int32 = 1
  private var agreed: Int32 = 0
  /// Whether there is nothing more to find.
  private(set) var isAtEnd = false

  init(
    _ conditions: WalkConditions, from range: (after: [UInt8], before: [UInt8]),
    _ direction: WalkDirection
  ) {
    self.conditions = conditions
    id = direction == .up ? range.after : range.before
    end = direction == .up ? range.before : range.after
  }

  /// Adds the parameters of the next piece.
  func add(to parameters: inout Parameters, _ project: ProjectID, hitsMax: Int64) {
    parameters.add(project.number)
    parameters.add(int32s: conditions.numbers)
    parameters.add(texts: conditions.keys)
    parameters.add(texts: conditions.values)
    parameters.add(int32: conditions.count)
    parameters.add(texts: conditions.absent)
    parameters.add(end)
    parameters.add(id)
    parameters.add(isBeyond)
    parameters.add(int32: turn)
    parameters.add(int32: agreed)
    parameters.add(hitsMax)
    parameters.add(int32: ConversationReader.stepsMax)
  }

  /// Takes over the last step of a piece: `id`, `beyond`, `turn`, `agreed`, `n`, from a column on.
  ///
  /// - Parameters:
  ///   - isLimited: Whether the piece ended since it had found as many as it was to find.
  ///   - isFull: Whether all that was looked for is found.
  mutating func goOn(
    _ rows: Rows, _ row: Int, from column: Int, isLimited: Bool, isFull: Bool
  ) {
    guard !isFull, row >= 0,
      isLimited || rows.int64(row, column + 4) == Int64(ConversationReader.stepsMax)
    else {
      // A piece that made fewer steps found no further one.
      isAtEnd = true
      return
    }
    id = rows.bytes(row, column)
    isBeyond = rows.bool(row, column + 1)
    turn = Int32(rows.int64(row, column + 2))
    agreed = Int32(rows.int64(row, column + 3))
  }
}
