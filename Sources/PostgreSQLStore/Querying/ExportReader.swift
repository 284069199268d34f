internal import Conversations
internal import PostgreSQL
internal import Repository

/// Reads pages of exports, on the connection of a query lane.
struct ExportReader {
  let session: QuerySession
  let project: ProjectID
  /// How large a page is, about.
  var bytesMax = ExportPage.bytesMax

  /// How many conversations are read at a time.
  private static let conversationsMax = 1000
  /// Bytes of an item in a page beside its id, its type and its fields.
  private static let frameBytes = Int64(
    ItemPage.bytes(of: Item(id: ItemID("x")!, type: "", fields: [])) - 1)

  /// - Parameter place: Where the page before ended; nil for the first.
  /// - Throws: `.queryTimeout` when nothing was found by the deadline.
  func page(
    _ query: ConversationQuery, from place: ExportPlace?
  ) throws(RepositoryError) -> ExportPage {
    var builder = ExportPage.Builder(bytesMax: bytesMax)
    do throws(RepositoryError) {
      try session.inSnapshot { session throws(RepositoryError) in
        try ExportReader(session: session, project: project).fill(&builder, query, from: place)
      }
    } catch {
      guard error == .queryTimeout, !builder.page.records.isEmpty else { throw error }
      builder.endBefore()
    }
    return builder.page
  }

  private func fill(
    _ builder: inout ExportPage.Builder, _ query: ConversationQuery, from place: ExportPlace?
  ) throws(RepositoryError) {
    if let place, let last = place.last, try !addRest(of: place.id, after: last, to: &builder) {
      return
    }
    var query = query
    query.orderBy = .createdAt
    query.order = .ascending
    query.limit = Self.conversationsMax
    query.after = place.map { .conversation($0.id) }
    query.before = nil
    while true {
      guard let reader = ConversationReader(query, in: project, on: session) else { return }
      let page = try reader.page()
      for id in page.unreadable { builder.leaveOut(id) }
      guard try add(page.listed, to: &builder) else { return }
      guard page.hasMore, let last = page.lastRead else { return }
      query.after = .conversation(last)
    }
  }

  /// Adds conversations with all of their items.
  ///
  /// - Returns: False when the page is full.
  private func add(
    _ listed: [ListedConversation], to builder: inout ExportPage.Builder
  ) throws(RepositoryError) -> Bool {
    var rest = listed[...]
    while !rest.isEmpty {
      // As many as have so many items together that all of them may be read.
      var itemCount: Int64 = 0
      let piece = rest.prefix { one in
        itemCount += one.activity?.itemCount ?? 0
        return itemCount <= Int64(ExportPage.itemsMax)
      }
      let some = piece.isEmpty ? rest.prefix(1) : piece
      rest = rest.dropFirst(some.count)
      let found = try items(of: some.map { ($0, 0) }, bytesMax: builder.bytesLeft)
      for (index, one) in some.enumerated() {
        guard
          builder.begin(
            one.conversation, lastActivityMicroseconds: one.activity?.lastMicroseconds ?? 0),
          Self.add(found[index], to: &builder)
        else { return false }
      }
    }
    return true
  }

  /// Adds the items of a conversation that do not fit into earlier pages.
  ///
  /// - Returns: False when the page is full.
  private func addRest(
    of id: ConversationID, after last: ExportPlace.Item, to builder: inout ExportPage.Builder
  ) throws(RepositoryError) -> Bool {
    let rows = try session.run([
      QueryStatements.findRest.call {
        $0.add(project.number)
        $0.add(id.bytes)
      }
    ])[0]
    var page = ConversationPage()
    guard rows.count == 1, let reader = ConversationReader(.init(), in: project, on: session)
    else { return true }
    reader.read(rows, 0, into: &page)
    guard let listed = page.listed.first else {
      for id in page.unreadable { builder.leaveOut(id) }
      return true
    }
    let found = try items(of: [(listed, last.position)], bytesMax: builder.bytesLeft)
    return builder.begin(
      listed.conversation, lastActivityMicroseconds: listed.activity?.lastMicroseconds ?? 0,
      afterItem: last.id) && Self.add(found[0], to: &builder)
  }

  /// An item as it was read.
  private enum FoundItem {
    case record(ItemRecord, position: Int64)
    case unreadable
    /// It was not read, since the page has no room for it.
    case tooLarge
  }

  private static func add(
    _ items: [FoundItem], to builder: inout ExportPage.Builder
  ) -> Bool {
    for item in items {
      switch item {
      case .record(let record, let position):
        guard builder.add(record, position: position) else { return false }
      case .unreadable: builder.leaveOutItem()
      case .tooLarge: return builder.add(nil, position: 0)
      }
    }
    builder.end()
    return true
  }

  /// Reads the items of conversations, each after a position.
  ///
  /// - Parameter bytesMax: How many bytes are read; the first item is read in any case.
  private func items(
    of listed: [(ListedConversation, after: Int64)], bytesMax: Int
  ) throws(RepositoryError) -> [[FoundItem]] {
    var items = Array(repeating: [FoundItem](), count: listed.count)
    let places = listed.indices.filter { listed[$0].0.activity?.itemCount != 0 }
    guard !places.isEmpty else { return items }
    let rows = try session.run([
      QueryStatements.exportItems.call {
        $0.add(project.number)
        $0.add(byteas: places.map { listed[$0].0.conversation.id.bytes })
        $0.add(int64s: places.map { listed[$0].after })
        $0.add(Int64(ExportPage.itemsMax) + 1)
        $0.add(Int64(bytesMax))
        $0.add(Self.frameBytes)
      }
    ])[0]
    for row in 0..<rows.count {
      let place = places[Int(rows.int64(row, 0)) - 1]
      if rows.isNull(row, 3) {
        items[place].append(.tooLarge)
      } else if let item = Item(rows, row, from: 1) {
        items[place].append(
          .record(
            ItemRecord(item, createdAt: rows.int64(row, 4)), position: rows.int64(row, 5)))
      } else {
        items[place].append(.unreadable)
      }
    }
    return items
  }
}

extension ConversationPage {
  /// The last conversation that was read, also one that cannot be shown.
  fileprivate var lastRead: ConversationID? {
    let listed = listed.last.map(\.conversation.id)
    return [listed, unreadable.last.flatMap { ConversationID($0) }].compactMap(\.self).max()
  }
}
