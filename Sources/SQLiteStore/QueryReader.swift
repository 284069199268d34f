internal import Conversations
internal import Repository
internal import SQLite

/// A read-only connection that answers queries, which may take long.
///
/// No statement here sorts or scans, and none runs for long: each enters an index and takes numbers
/// from it in order, a step at a time, so that a deadline is noticed between two steps.
final class QueryReader {
  /// How many idle streams are kept for the next query.
  private static let idleStreamsMax = 64

  let connection: Connection
  private let begin: Statement
  private let commit: Statement
  private let selectFirstAfter: Statement
  private let selectLastBefore: Statement
  let selectConversation: Statement
  let itemPages: ItemPages
  let historyPages: HistoryPages
  let activity: ActivityReader
  let itemRecords: ItemRecords
  private let selectKeys: Statement
  private let facetReader: FacetReader
  private var idleStreams: [NumberStream] = []

  convenience init(path: String, busyTimeoutMilliseconds: Int) throws(SQLiteError) {
    try self.init(
      Connection(path: path, mode: .readOnly, busyTimeoutMilliseconds: busyTimeoutMilliseconds))
  }

  /// - Parameter connection: A read-only one.
  init(_ connection: consuming Connection) throws(SQLiteError) {
    self.connection = connection
    try self.connection.execute("PRAGMA cache_size = -\(SQLiteStore.readerCacheKiB)")
    begin = try self.connection.prepare("BEGIN")
    commit = try self.connection.prepare("COMMIT")
    itemPages = try ItemPages(self.connection)
    historyPages = try HistoryPages(self.connection, numbers: itemPages.numbers)
    activity = try ActivityReader(self.connection)
    itemRecords = try ItemRecords(self.connection)
    facetReader = try FacetReader(self.connection)
    selectFirstAfter = try self.connection.prepare(
      "SELECT number FROM conversations WHERE id > :place ORDER BY id LIMIT 1")
    selectLastBefore = try self.connection.prepare(
      "SELECT number FROM conversations WHERE id < :place ORDER BY id DESC LIMIT 1")
    selectKeys = try self.connection.prepare(Self.selectKeysSQL)
    selectConversation = try self.connection.prepare(
      """
      SELECT metadata.key, metadata.value, conversations.id
      FROM conversations
      LEFT JOIN metadata ON metadata.conversation = conversations.number
      WHERE conversations.number = :number AND conversations.project = :project
      ORDER BY metadata.key
      """)
  }

  /// Compiles a statement that runs rarely.
  func prepare(_ sql: String) throws(SQLiteError) -> Statement { try connection.prepare(sql) }

  /// The keys of a project that are not revoked are a range of one index, in its order.
  static let selectKeysSQL = """
    SELECT api_keys.name, projects.name, is_read_only, created_at, expires_at, last_used_at,
      revoked_at, first_characters, is_admin, requests_per_minute
    FROM api_keys INDEXED BY api_keys_by_name JOIN projects ON projects.number = api_keys.project
    WHERE api_keys.project = :project AND api_keys.revoked_at IS NULL ORDER BY api_keys.name
    """

  /// Reads what is known of the API keys of a project that are not revoked, by their names.
  ///
  /// - Parameter isOver: Asked again and again; true ends the query.
  /// - Throws: `.queryTimeout`.
  func apiKeys(
    in project: ProjectID, isOver: () -> Bool
  ) throws(RepositoryError) -> [APIKeyRecord] {
    defer { selectKeys.reset() }
    selectKeys.bind(":project", project.number)
    var records: [APIKeyRecord] = []
    while try rethrowing({ () throws(SQLiteError) in try selectKeys.step() }) {
      if isOver() { throw .queryTimeout }
      records.append(APIKeyRecord(row: selectKeys))
    }
    return records
  }

  /// Reads a page of a conversation's items, as of one moment.
  ///
  /// - Parameter isOver: Asked again and again; true ends the query.
  /// - Throws: `.conversationNotFound`, `.item`, `.queryTimeout`.
  func items(
    _ query: ItemQuery, of id: ConversationID, in project: ProjectID, isOver: () -> Bool
  ) throws(RepositoryError) -> ItemPage {
    try inSnapshot { () throws(RepositoryError) in
      try itemPages.page(query, of: id, in: project, isOver: isOver)
    }
  }

  /// Reads one page, as of one moment.
  ///
  /// - Parameter isOver: Asked again and again; true ends the query.
  /// - Throws: `.cursorNotFound`, `.queryTimeout`.
  func page(
    _ query: ConversationQuery, in project: ProjectID, isOver: () -> Bool
  ) throws(RepositoryError) -> ConversationPage {
    try inSnapshot { () throws(RepositoryError) in
      var page =
        switch query.orderBy {
        case .createdAt: try pageByCreation(query, in: project, isOver: isOver)
        case .lastActivity: try pageByActivity(query, in: project, isOver: isOver)
        }
      if query.isBackwards { page.listed.reverse() }
      return page
    }
  }

  /// - Returns: In the order of the walk.
  private func pageByCreation(
    _ query: ConversationQuery, in project: ProjectID, isOver: () -> Bool
  ) throws(RepositoryError) -> ConversationPage {
    var page = ConversationPage()
    try walk(query, in: project, isOver: isOver) { number throws(RepositoryError) in
      try rethrowing { () throws(SQLiteError) in
        try read(number, in: project, including: query.included, into: &page)
      }
      return !page.endIfFull(query)
    }
    return page
  }

  /// Counts the conversations that a query asks for, as of one moment; its limit and its order mean
  /// nothing.
  ///
  /// - Parameters:
  ///   - limit: Where to stop.
  ///   - isOver: Asked again and again; true ends the count, which is not exact then.
  func count(
    _ query: ConversationQuery, upTo limit: Int, in project: ProjectID, isOver: () -> Bool
  ) throws(RepositoryError) -> ConversationCount {
    try inSnapshot { () throws(RepositoryError) in
      let (count, _) = try counted(query, upTo: limit, in: project, isOver: isOver)
      return count
    }
  }

  /// Reads a page of facets, and counts as of the same moment. Counts that the end comes before are
  /// left out.
  ///
  /// - Parameter isOver: Asked again and again; true ends the query.
  /// - Throws: `.queryTimeout` when not even the facets are found.
  func facets(
    _ query: FacetQuery, in project: ProjectID, isOver: () -> Bool
  ) throws(RepositoryError) -> FacetPage {
    try inSnapshot { () throws(RepositoryError) in
      var page = try facetReader.page(query, in: project, isOver: isOver)
      guard query.countLimit > 0 else { return page }
      for index in page.facets.indices {
        guard let conversations = query.conversations(with: page.facets[index].text) else {
          preconditionFailure("a facet that no metadata can have")
        }
        let (count, isComplete) = try counted(
          conversations, upTo: query.countLimit, in: project, isOver: isOver)
        guard isComplete else { break }
        page.facets[index].count = count
      }
      return page
    }
  }

  private func counted(
    _ query: ConversationQuery, upTo limit: Int, in project: ProjectID, isOver: () -> Bool
  ) throws(RepositoryError) -> (count: ConversationCount, isComplete: Bool) {
    var value = 0
    do {
      try walk(query, in: project, isOver: isOver) { _ in
        value += 1
        return value <= limit
      }
    } catch .queryTimeout {
      return (ConversationCount(value, isExact: false), false)
    }
    return (ConversationCount(min(value, limit), isExact: value <= limit), true)
  }

  /// Runs `body` in one read transaction.
  func inSnapshot<T>(
    _ body: () throws(RepositoryError) -> T
  ) throws(RepositoryError) -> T {
    try rethrowing { () throws(SQLiteError) in try begin.run() }
    // It only reads: there is nothing that its end could fail to store.
    defer { try? commit.run() }
    return try body()
  }

  /// Visits the numbers of the conversations that a query asks for, in the order of creation.
  ///
  /// - Parameter visit: False ends the walk.
  /// - Throws: `.queryTimeout`.
  func walk(
    _ query: ConversationQuery, in project: ProjectID, isOver: () -> Bool,
    visit: (Int64) throws(RepositoryError) -> Bool
  ) throws(RepositoryError) {
    let range = try rethrowing { () throws(SQLiteError) in try numbers(in: query) }
    guard let range else { return }
    try withWalk(query, range, in: project) { walk throws(RepositoryError) in
      var next = walk.start
      while let number = try walk.first(from: next, isOver: isOver), try visit(number) {
        next = query.walkDirection.next(number)
      }
    }
  }

  /// Lends a walk through the conversations of a range that fulfil a query's conditions.
  func withWalk(
    _ query: ConversationQuery, _ range: ClosedRange<Int64>, in project: ProjectID,
    _ body: (ConversationWalk) throws(RepositoryError) -> Void
  ) throws(RepositoryError) {
    var streams: [NumberStream] = []
    defer { for stream in streams { giveBack(stream) } }
    let direction = query.walkDirection
    let walk = try rethrowing { () throws(SQLiteError) in
      try ConversationWalk(query, range: range, direction: direction) {
        kind, key, value throws(SQLiteError) in
        let stream = try stream(kind, direction)
        streams.append(stream)
        try stream.start(in: project, key: key, value: value)
        return stream
      }
    }
    try body(walk)
  }

  /// The numbers, of all projects, between the query's places in the order of creation.
  ///
  /// - Returns: nil when there are none.
  func numbers(in query: ConversationQuery) throws(SQLiteError) -> ClosedRange<Int64>? {
    var first: Int64 = 1
    var last = Int64.max - 1
    if let place = query.lowerPlace {
      guard let number = try firstNumber(after: place) else { return nil }
      first = number
    }
    if let place = query.upperPlace {
      guard let number = try lastNumber(before: place) else { return nil }
      last = number
    }
    return first <= last ? first...last : nil
  }

  /// The number of the first conversation, of all projects, whose id sorts after a place.
  func firstNumber(after place: String) throws(SQLiteError) -> Int64? {
    try number(selectFirstAfter, place)
  }

  /// The number of the last conversation, of all projects, whose id sorts before a place.
  func lastNumber(before place: String) throws(SQLiteError) -> Int64? {
    try number(selectLastBefore, place)
  }

  private func number(
    _ select: borrowing Statement, _ place: String
  ) throws(SQLiteError) -> Int64? {
    defer { select.reset() }
    try select.bind(":place", place)
    return try select.step() ? select.integer(0) : nil
  }

  /// A row that cannot be shown is an error of its conversation, and the others are shown.
  private func read(
    _ number: Int64, in project: ProjectID, including included: Set<ConversationQuery.Inclusion>,
    into page: inout ConversationPage
  ) throws(SQLiteError) {
    let activity = included.isEmpty ? nil : try activity.activity(of: number)
    switch try conversation(number, in: project) {
    case .readable(let conversation):
      page.listed.append(ListedConversation(conversation, activity: activity))
    case .unreadable(let text): page.unreadable.append(text)
    case nil: break
    }
  }

  /// A conversation as its rows are.
  enum Row {
    case readable(Conversation)
    /// It cannot be shown; what there is of its id.
    case unreadable(String)
  }

  /// - Returns: nil when there is none.
  func conversation(_ number: Int64, in project: ProjectID) throws(SQLiteError) -> Row? {
    defer { selectConversation.reset() }
    selectConversation.bind(":number", number)
    selectConversation.bind(":project", project.number)
    guard try selectConversation.step() else { return nil }
    let text = selectConversation.repairedText(2)
    guard let id = ConversationID(text) else { return .unreadable(text) }
    if selectConversation.isNull(0) {
      return .readable(Conversation(id: id, metadata: .empty))
    }
    guard let metadata = try Metadata(rows: selectConversation, isAtRow: true) else {
      return .unreadable(text)
    }
    return .readable(Conversation(id: id, metadata: metadata))
  }

  // MARK: Streams

  private func stream(
    _ kind: NumberStream.Kind, _ direction: WalkDirection
  ) throws(SQLiteError) -> NumberStream {
    let index = idleStreams.firstIndex { $0.kind == kind && $0.direction == direction }
    if let index { return idleStreams.remove(at: index) }
    return try NumberStream(kind, direction, on: connection)
  }

  private func giveBack(_ stream: NumberStream) {
    stream.stop()
    idleStreams.append(stream)
    if idleStreams.count > Self.idleStreamsMax { idleStreams.removeFirst() }
  }

  /// What all statements have done since they were compiled, but those of streams that were dropped.
  var work: StatementWork {
    idleStreams.map(\.work).reduce(
      selectFirstAfter.work + selectLastBefore.work + selectConversation.work + activity.work
        + facetReader.work, +)
  }
}

extension ConversationPage {
  /// Takes away the conversation after the last one of the page.
  ///
  /// - Returns: Whether there was one.
  mutating func endIfFull(_ query: ConversationQuery) -> Bool {
    guard listed.count > query.limit else { return false }
    listed.removeLast()
    hasMore = true
    return true
  }
}

extension ConversationQuery {
  var walkDirection: WalkDirection {
    (order == .ascending) != isBackwards ? .up : .down
  }

  /// The place in the order of ids after which the conversations stand, or nil. Ids begin with the
  /// time, so a time is a place too.
  fileprivate var lowerPlace: String? {
    let cursor = order == .ascending ? after : before
    return [cursor?.idInOrderOfCreation(of: self), createdFrom.map(ConversationID.place)].compactMap
    { $0 }
    .max { $0.precedes($1) }
  }

  /// The place in the order of ids before which the conversations stand, or nil.
  fileprivate var upperPlace: String? {
    let cursor = order == .ascending ? before : after
    return [cursor?.idInOrderOfCreation(of: self), createdBefore.map(ConversationID.place)]
      .compactMap { $0 }
      .min { $0.precedes($1) }
  }
}

extension ConversationCursor {
  /// The place in the order of ids; nil for a query in another order, whose range is that of its times
  /// alone.
  fileprivate func idInOrderOfCreation(of query: ConversationQuery) -> String? {
    guard query.orderBy == .createdAt, case .conversation(let id) = self else { return nil }
    return id.description
  }
}
