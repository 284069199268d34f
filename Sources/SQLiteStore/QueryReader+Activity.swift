internal import Conversations
internal import Repository
internal import SQLite

/// Pages in the order of last activity.
///
/// There are two ways to such a page: along the order, looking at the conditions of each conversation,
/// which is short when many fulfil them; and along the numbers of those that fulfil them, putting all of
/// them in order, which is short when few do. Nobody knows beforehand which it is, so both go on in
/// turn, a step each, and the first that is at its end has the page.
extension QueryReader {
  /// - Returns: In the order of the walk.
  /// - Throws: `.cursorNotFound`, `.queryTimeout`.
  func pageByActivity(
    _ query: ConversationQuery, in project: ProjectID, isOver: () -> Bool
  ) throws(RepositoryError) -> ConversationPage {
    let places = try places(between: query, in: project)
    let range = try rethrowing { () throws(SQLiteError) in try numbers(in: query) }
    guard let places, let range else { return ConversationPage() }
    var search = ActivitySearch(query: query, project: project, places: places, range: range)
    let start = query.walkDirection == .up ? places.lowerBound : places.upperBound
    let stream = activity.stream(query.walkDirection)
    stream.start(in: project, from: start)
    defer { stream.stop() }
    guard search.isNarrowed else {
      while try !along(&search, stream) { if isOver() { throw .queryTimeout } }
      return search.page
    }
    try withWalk(query, range, in: project) { walk throws(RepositoryError) in
      var position = ConversationWalk.Position(candidate: walk.start)
      while try !along(&search, stream), try !gather(&search, walk, &position, isOver) {
        if isOver() { throw .queryTimeout }
      }
    }
    return search.page
  }

  /// Looks at the next conversation in the order.
  ///
  /// - Returns: Whether the page is done.
  private func along(
    _ search: inout ActivitySearch, _ stream: ActivityStream
  ) throws(RepositoryError) -> Bool {
    try rethrowing { () throws(SQLiteError) in
      guard let place = try stream.next(), search.places.contains(place) else { return true }
      guard search.range.contains(place.number) else { return false }
      return try read(place.number, into: &search.page, search)
    }
  }

  /// Looks for the next conversation that fulfils the conditions; after the last one it makes the page
  /// of all of them.
  ///
  /// - Returns: Whether the page is done.
  private func gather(
    _ search: inout ActivitySearch, _ walk: ConversationWalk,
    _ position: inout ConversationWalk.Position, _ isOver: () -> Bool
  ) throws(RepositoryError) -> Bool {
    switch try walk.step(&position) {
    case .searching: return false
    case .found(let number):
      let found = try rethrowing { () throws(SQLiteError) in try activity.activity(of: number) }
      let place = found.map { ActivityPlace(microseconds: $0.lastMicroseconds, number: number) }
      if let place, search.places.contains(place) { search.gathered.append(place) }
      return false
    case .end:
      search.gathered.sort()
      if search.query.walkDirection == .down { search.gathered.reverse() }
      search.page = ConversationPage()
      for place in search.gathered {
        if isOver() { throw .queryTimeout }
        let isFull = try rethrowing { () throws(SQLiteError) in
          try read(place.number, into: &search.page, search)
        }
        if isFull { break }
      }
      return true
    }
  }

  /// Reads a conversation into a page if it fulfils the conditions.
  ///
  /// - Returns: Whether the page is full.
  private func read(
    _ number: Int64, into page: inout ConversationPage, _ search: borrowing ActivitySearch
  ) throws(SQLiteError) -> Bool {
    guard let stored = try storedConversation(number, in: search.project),
      search.query.conditions.allSatisfy({ $0.isFulfilled(by: stored.pairs) })
    else { return false }
    guard let conversation = stored.conversation else {
      page.unreadable.append(stored.id)
      return false
    }
    page.listed.append(
      ListedConversation(conversation, activity: try activity.activity(of: number)))
    return page.endIfFull(search.query)
  }

  private func storedConversation(
    _ number: Int64, in project: ProjectID
  ) throws(SQLiteError) -> StoredConversation? {
    defer { selectConversation.reset() }
    selectConversation.bind(":number", number)
    selectConversation.bind(":project", project.number)
    guard try selectConversation.step() else { return nil }
    var stored = StoredConversation(id: selectConversation.repairedText(2))
    guard !selectConversation.isNull(0) else { return stored }
    repeat {
      stored.pairs.append((selectConversation.text(0), selectConversation.text(1)))
    } while try selectConversation.step()
    return stored
  }

  // MARK: Places

  /// The places, both included, between those that a query names.
  ///
  /// - Returns: nil when there is nothing between them.
  private func places(
    between query: ConversationQuery, in project: ProjectID
  ) throws(RepositoryError) -> ClosedRange<ActivityPlace>? {
    let isAscending = query.order == .ascending
    let (lower, upper): (ListCursor, ListCursor) =
      isAscending ? (.after, .before) : (.before, .after)
    var first = ActivityPlace(microseconds: 0, number: 0)
    var last = ActivityPlace(microseconds: .max, number: .max)
    if let cursor = query[lower] {
      first = try place(cursor, lower, in: project, .up)
    }
    if let cursor = query[upper] {
      last = try place(cursor, upper, in: project, .down)
    }
    return first <= last ? first...last : nil
  }

  /// The place next to a cursor's, in a direction.
  private func place(
    _ cursor: ConversationCursor, _ name: ListCursor, in project: ProjectID,
    _ direction: WalkDirection
  ) throws(RepositoryError) -> ActivityPlace {
    switch cursor {
    case .conversation(let id):
      let found = try rethrowing { () throws(SQLiteError) in
        try activity.place(of: id, in: project)
      }
      guard let found else { throw .cursorNotFound(name, id) }
      return ActivityPlace(
        microseconds: found.microseconds, number: direction.next(found.number))
    case .activity(let id, let microseconds):
      return try rethrowing { () throws(SQLiteError) in
        let number =
          switch direction {
          case .up: try firstNumber(after: id.description) ?? .max
          case .down: try lastNumber(before: id.description) ?? 0
          }
        return ActivityPlace(microseconds: microseconds, number: number)
      }
    }
  }
}

/// One query in the order of last activity, and what is found of it so far.
private struct ActivitySearch {
  let query: ConversationQuery
  let project: ProjectID
  /// Where the conversations of the page lie, both included.
  let places: ClosedRange<ActivityPlace>
  /// The numbers between the query's times of creation.
  let range: ClosedRange<Int64>
  /// What the way along the order has found.
  var page = ConversationPage()
  /// What the way along the numbers has found.
  var gathered: [ActivityPlace] = []

  /// Whether there are conversations that the query does not ask for.
  var isNarrowed: Bool {
    !query.conditions.isEmpty || query.createdFrom != nil || query.createdBefore != nil
  }
}

/// What is stored of a conversation, valid or not.
private struct StoredConversation {
  /// Repaired.
  let id: String
  /// nil stands for what is not UTF-8.
  var pairs: [(key: String?, value: String?)] = []

  init(id: String) { self.id = id }

  /// nil when it cannot be shown.
  var conversation: Conversation? {
    guard let id = ConversationID(id) else { return nil }
    var valid: [Metadata.Pair] = []
    for (key, value) in pairs {
      guard let key, let value, let pair = try? Metadata.Pair(key: key, value: value) else {
        return nil
      }
      valid.append(pair)
    }
    guard let metadata = try? Metadata(valid) else { return nil }
    return Conversation(id: id, metadata: metadata)
  }
}

extension ConversationQuery {
  fileprivate subscript(cursor: ListCursor) -> ConversationCursor? {
    switch cursor {
    case .after: after
    case .before: before
    }
  }
}
