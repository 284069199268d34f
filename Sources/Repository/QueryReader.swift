internal import Conversations
internal import SQLite

/// A read-only connection that answers queries, which may take long.
///
/// No statement here sorts or scans, and none runs for long: each enters an index and takes numbers
/// from it in order, a step at a time, so that a deadline is noticed between two steps.
final class QueryReader {
  /// How many idle streams are kept for the next query.
  private static let idleStreamsMax = 64

  private let connection: Connection
  private let begin: Statement
  private let commit: Statement
  private let selectFirstAfter: Statement
  private let selectLastBefore: Statement
  private let selectConversation: Statement
  private let itemPages: ItemPages
  private var idleStreams: [NumberStream] = []

  init(path: String, busyTimeoutMilliseconds: Int) throws(SQLiteError) {
    connection = try Connection(
      path: path, mode: .readOnly, busyTimeoutMilliseconds: busyTimeoutMilliseconds)
    try connection.execute("PRAGMA cache_size = -\(Repository.readerCacheKiB)")
    begin = try connection.prepare("BEGIN")
    commit = try connection.prepare("COMMIT")
    itemPages = try ItemPages(connection)
    selectFirstAfter = try connection.prepare(
      "SELECT number FROM conversations WHERE id > :place ORDER BY id LIMIT 1")
    selectLastBefore = try connection.prepare(
      "SELECT number FROM conversations WHERE id < :place ORDER BY id DESC LIMIT 1")
    selectConversation = try connection.prepare(
      """
      SELECT metadata.key, metadata.value, conversations.id
      FROM conversations
      LEFT JOIN metadata ON metadata.conversation = conversations.number
      WHERE conversations.number = :number AND conversations.project = :project
      ORDER BY metadata.key
      """)
  }

  /// Reads a page of a conversation's items, as of one moment.
  ///
  /// - Parameter isOver: Asked again and again; true ends the query.
  /// - Throws: `.conversationNotFound`, `.item`, `.queryTimeout`.
  func items(
    _ query: ItemQuery, of id: ConversationID, in project: ProjectID, isOver: () -> Bool
  ) throws(RepositoryError) -> ItemPage {
    try rethrowing { () throws(SQLiteError) in try begin.run() }
    defer { try? commit.run() }
    return try itemPages.page(query, of: id, in: project, isOver: isOver)
  }

  /// Reads one page, as of one moment.
  ///
  /// - Parameter isOver: Asked again and again; true ends the query.
  /// - Throws: `.queryTimeout`.
  func page(
    _ query: ConversationQuery, in project: ProjectID, isOver: () -> Bool
  ) throws(RepositoryError) -> ConversationPage {
    try rethrowing { () throws(SQLiteError) in try begin.run() }
    var streams: [NumberStream] = []
    defer {
      for stream in streams { giveBack(stream) }
      // It only read: there is nothing that its end could fail to store.
      try? commit.run()
    }
    let direction = query.walkDirection
    let walk = try rethrowing { () throws(SQLiteError) -> ConversationWalk? in
      guard let range = try numbers(in: query) else { return nil }
      return try ConversationWalk(query, range: range, direction: direction) {
        kind, key, value throws(SQLiteError) in
        let stream = try stream(kind, direction)
        streams.append(stream)
        try stream.start(in: project, key: key, value: value)
        return stream
      }
    }
    guard let walk else { return ConversationPage() }

    var page = ConversationPage()
    var next = walk.start
    while let number = try walk.first(from: next, isOver: isOver) {
      try rethrowing { () throws(SQLiteError) in try read(number, in: project, into: &page) }
      if page.conversations.count > query.limit {
        page.conversations.removeLast()
        page.hasMore = true
        break
      }
      next = direction.next(number)
    }
    if query.isBackwards { page.conversations.reverse() }
    return page
  }

  /// The numbers, of all projects, between the query's places in the order of creation.
  ///
  /// - Returns: nil when there are none.
  private func numbers(in query: ConversationQuery) throws(SQLiteError) -> ClosedRange<Int64>? {
    var first: Int64 = 1
    var last = Int64.max - 1
    if let place = query.lowerPlace {
      guard let number = try number(selectFirstAfter, place) else { return nil }
      first = number
    }
    if let place = query.upperPlace {
      guard let number = try number(selectLastBefore, place) else { return nil }
      last = number
    }
    return first <= last ? first...last : nil
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
    _ number: Int64, in project: ProjectID, into page: inout ConversationPage
  ) throws(SQLiteError) {
    defer { selectConversation.reset() }
    selectConversation.bind(":number", number)
    selectConversation.bind(":project", project.number)
    guard try selectConversation.step() else { return }
    let text = selectConversation.repairedText(2)
    guard let id = ConversationID(text) else {
      page.unreadable.append(text)
      return
    }
    if selectConversation.isNull(0) {
      page.conversations.append(Conversation(id: id, metadata: .empty))
    } else if let metadata = try Metadata(rows: selectConversation, isAtRow: true) {
      page.conversations.append(Conversation(id: id, metadata: metadata))
    } else {
      page.unreadable.append(text)
    }
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
      selectFirstAfter.work + selectLastBefore.work + selectConversation.work, +)
  }
}

extension ConversationQuery {
  /// Whether a page is the end of what precedes a place, and so is read from that place backwards.
  fileprivate var isBackwards: Bool { before != nil && after == nil }

  fileprivate var walkDirection: WalkDirection {
    (order == .ascending) != isBackwards ? .up : .down
  }

  /// The place in the order of ids after which the conversations stand, or nil. Ids begin with the
  /// time, so a time is a place too.
  fileprivate var lowerPlace: String? {
    let cursor = order == .ascending ? after : before
    return [cursor?.description, createdFrom.map(ConversationID.place)].compactMap { $0 }
      .max { $0.precedes($1) }
  }

  /// The place in the order of ids before which the conversations stand, or nil.
  fileprivate var upperPlace: String? {
    let cursor = order == .ascending ? before : after
    return [cursor?.description, createdBefore.map(ConversationID.place)].compactMap { $0 }
      .min { $0.precedes($1) }
  }
}
