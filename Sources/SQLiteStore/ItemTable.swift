internal import Conversations
internal import Repository
internal import SQLite

/// The items, inside the writer's transactions.
final class ItemTable {
  private let copiesBytesMax: Int
  private let selectNewest: Statement
  private let numbers: RowNumbers
  private let selectRange: Statement
  private let insert: Statement
  private let delete: Statement

  /// - Parameters:
  ///   - numbers: Of the same connection.
  ///   - copiesBytesMax: How large the copies may be together that one request makes.
  init(
    _ connection: borrowing Connection, numbers: RowNumbers, copiesBytesMax: Int
  ) throws(SQLiteError) {
    self.numbers = numbers
    self.copiesBytesMax = copiesBytesMax
    // Of the newest conversation that has it.
    selectNewest = try connection.prepare(
      """
      SELECT id, type, fields FROM items INDEXED BY items_by_id
      WHERE project = :project AND id = :id ORDER BY conversation DESC LIMIT 1
      """)
    selectRange = try connection.prepare(
      """
      SELECT id, type, fields FROM items INDEXED BY items_by_conversation
      WHERE conversation = :conversation AND number BETWEEN :first AND :last ORDER BY number
      """)
    insert = try connection.prepare(
      """
      INSERT INTO items (conversation, project, id, type, created_at, fields)
      VALUES (:conversation, :project, :id, :type, :created_at, :fields)
      """)
    delete = try connection.prepare("DELETE FROM items WHERE number = :number")
  }

  /// Finds what is to be stored for items, and refuses what cannot be, before anything is written.
  ///
  /// - Parameter conversation: The one that they are for; nil for one that is not there yet.
  /// - Throws: `.item`, `.unreadableItem`.
  func prepared(
    _ added: [AddedItem], for conversation: Int64? = nil, in project: ProjectID
  ) throws(RepositoryError) -> [Item] {
    try added.resolved(
      copiesBytesMax: copiesBytesMax,
      newest: { id throws(RepositoryError) in try newest(id, project) },
      isInConversation: { id throws(RepositoryError) in
        guard let conversation else { return false }
        return try numbers.item(id.description, of: conversation, in: project) != nil
      },
      refusal: { RepositoryError($0) })
  }

  /// Adds items to a conversation, in this order, after all that it has.
  ///
  /// - Parameter items: Those of `prepared`.
  /// - Returns: The numbers of the first and the last row; nil for none.
  func add(
    _ items: [Item], to conversation: Int64, in project: ProjectID, now: Int64
  ) throws(RepositoryError) -> ClosedRange<Int64>? {
    var stored: ClosedRange<Int64>?
    for item in items {
      let number = try store(item, conversation, project, now)
      stored = (stored?.lowerBound ?? number)...number
    }
    return stored
  }

  /// - Returns: nil when there is none.
  /// - Throws: `.unreadableItem` when its row cannot be shown.
  private func newest(_ id: String, _ project: ProjectID) throws(RepositoryError) -> Item? {
    defer { selectNewest.reset() }
    let isThere = try rethrowing { () throws(SQLiteError) in
      selectNewest.bind(":project", project.number)
      try selectNewest.bind(":id", id)
      return try selectNewest.step()
    }
    guard isThere else { return nil }
    guard let item = Item(row: selectNewest) else { throw .unreadableItem }
    return item
  }

  /// Stores an item, behind all that its conversation has.
  ///
  /// - Returns: The number of its row.
  func store(
    _ item: Item, _ conversation: Int64, _ project: ProjectID, _ now: Int64
  ) throws(RepositoryError) -> Int64 {
    do {
      insert.bind(":conversation", conversation)
      insert.bind(":project", project.number)
      try insert.bind(":id", item.id.description)
      try insert.bind(":type", item.type)
      insert.bind(":created_at", now)
      try insert.bind(":fields", utf8: item.fields)
      try insert.run()
      // RETURNING puts its rows into a table of its own first, a tenth of an append's time.
      return insert.lastInsertedNumber
    } catch {
      // json_valid of SQLite 3.40 says no when it has no memory to parse, and an item is valid.
      throw error.isCheck ? .unavailable(.noMemory) : RepositoryError(EngineError(error))
    }
  }

  /// The items of an append that are still there.
  func items(
    numbered numbers: ClosedRange<Int64>, of conversation: Int64
  ) throws(SQLiteError) -> [Item] {
    defer { selectRange.reset() }
    selectRange.bind(":conversation", conversation)
    selectRange.bind(":first", numbers.lowerBound)
    selectRange.bind(":last", numbers.upperBound)
    var items: [Item] = []
    while try selectRange.step() {
      if let item = Item(row: selectRange) { items.append(item) }
    }
    return items
  }

  func delete(_ number: Int64) throws(SQLiteError) {
    delete.bind(":number", number)
    try delete.run()
  }
}

extension Item {
  /// Reads a row of `id`, `type`, `fields`.
  ///
  /// - Returns: nil when it cannot be shown.
  init?(row: borrowing Statement) {
    guard let id = row.text(0).flatMap({ ItemID($0) }), let type = row.text(1),
      let fields = row.utf8(2), fields.first == UInt8(ascii: "{"), fields.last == UInt8(ascii: "}")
    else { return nil }
    self.init(id: id, type: type, fields: fields)
  }
}
