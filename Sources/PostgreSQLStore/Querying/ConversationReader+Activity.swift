internal import Conversations
internal import PostgreSQL
internal import Repository

/// Pages in the order of last activity.
///
/// There are two ways to such a page: along the order, looking at the conditions of each conversation,
/// which is short when many fulfil them; and along the ids of those that fulfil them, putting all of
/// them in order, which is short when few do. Nobody knows beforehand which it is, so both go on in
/// turn, a piece each, and the first that is at its end has the page.
extension ConversationReader {
  /// How many conversations one piece of the way along the order looks at.
  private static let rowsMax: Int64 = 500

  /// A place in the order: a moment and an id.
  private struct Place {
    var microseconds: Int64
    var id: [UInt8]
  }

  /// - Returns: In the order of the walk.
  /// - Throws: `.cursorNotFound`, `.queryTimeout`.
  func pageByActivity() throws(RepositoryError) -> ConversationPage {
    let isNarrowed =
      !query.conditions.isEmpty || query.createdFrom != nil || query.createdBefore != nil
    let isAscending = query.order == .ascending
    return try session.inSnapshot { session throws(RepositoryError) in
      var first = try place(
        isAscending ? query.after : query.before, isAscending ? .after : .before, session,
        otherwise: Place(microseconds: -1, id: []))
      var last = try place(
        isAscending ? query.before : query.after, isAscending ? .before : .after, session,
        otherwise: Place(microseconds: .max, id: []))
      let places = (first, last)
      var page = ConversationPage()
      var gathered: [[UInt8]] = []
      var walk = Walk(conditions, from: range, direction)
      while true {
        if try readAlong(&first, &last, session, into: &page, isNarrowed: isNarrowed) {
          page.endIfFull(query)
          return page
        }
        guard isNarrowed else { continue }
        if try gather(&walk, session, into: &gathered) {
          return try gatheredPage(gathered, places, session)
        }
      }
    }
  }

  /// Looks at the next conversations in the order.
  ///
  /// - Returns: Whether the page is done.
  private func readAlong(
    _ first: inout Place, _ last: inout Place, _ session: QuerySession,
    into page: inout ConversationPage, isNarrowed: Bool
  ) throws(RepositoryError) -> Bool {
    let rowsMax = isNarrowed ? Self.rowsMax : Int64(query.limit) + 1
    let rows = try session.run([
      QueryStatements.listByActivity(direction).call {
        $0.add(project.number)
        $0.add(first.microseconds)
        $0.add(first.id)
        $0.add(last.microseconds)
        $0.add(last.id)
        $0.add(rowsMax)
        $0.add(range.after)
        $0.add(range.before)
        $0.add(int32s: conditions.numbers)
        $0.add(texts: conditions.keys)
        $0.add(texts: conditions.values)
        $0.add(texts: conditions.absent)
      }
    ])[0]
    for row in 0..<rows.count where rows.bool(row, 4) {
      read(rows, row, into: &page)
      if page.listed.count > query.limit { return true }
    }
    guard Int64(rows.count) == rowsMax else { return true }
    let place = Place(
      microseconds: rows.int64(rows.count - 1, 2), id: rows.bytes(rows.count - 1, 0))
    if direction == .up { first = place } else { last = place }
    return false
  }

  /// Looks for the next conversations that fulfil the conditions.
  ///
  /// - Returns: Whether all are found.
  private func gather(
    _ walk: inout Walk, _ session: QuerySession, into gathered: inout [[UInt8]]
  ) throws(RepositoryError) -> Bool {
    let rows = try session.run([
      QueryStatements.walk(direction).call { walk.add(to: &$0, project, hitsMax: .max) }
    ])[0]
    for row in 0..<rows.count where rows.bool(row, 4) && !rows.isNull(row, 0) {
      gathered.append(rows.bytes(row, 0))
    }
    walk.goOn(rows, rows.count - 1, from: 5, isLimited: false, isFull: false)
    return walk.isAtEnd
  }

  private func gatheredPage(
    _ gathered: [[UInt8]], _ places: (Place, Place), _ session: QuerySession
  ) throws(RepositoryError) -> ConversationPage {
    let rows = try session.run([
      QueryStatements.gatherByActivity(direction).call {
        $0.add(project.number)
        $0.add(places.0.microseconds)
        $0.add(places.0.id)
        $0.add(places.1.microseconds)
        $0.add(places.1.id)
        $0.add(byteas: gathered)
        $0.add(Int64(query.limit) + 1)
      }
    ])[0]
    var page = ConversationPage()
    for row in 0..<rows.count { read(rows, row, into: &page) }
    page.endIfFull(query, rowCount: rows.count)
    return page
  }

  /// The place of a cursor.
  private func place(
    _ cursor: ConversationCursor?, _ name: ListCursor, _ session: QuerySession,
    otherwise: Place
  ) throws(RepositoryError) -> Place {
    switch cursor {
    case nil: return otherwise
    case .activity(let id, let microseconds):
      return Place(microseconds: microseconds, id: id.bytes)
    case .conversation(let id):
      let rows = try session.run([
        QueryStatements.findActivity.call {
          $0.add(project.number)
          $0.add(id.bytes)
        }
      ])[0]
      guard rows.count == 1 else { throw .cursorNotFound(name, id) }
      return Place(microseconds: rows.int64(0, 0), id: id.bytes)
    }
  }
}
