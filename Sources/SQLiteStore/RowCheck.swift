internal import Conversations
internal import SQLite

/// Looks at conversations and their pairs, a range of numbers at a time.
final class RowCheck {
  private let selectConversations: Statement
  private let selectPairs: Statement
  private let selectItems: Statement
  private let selectActivity: Statement
  private let selectVersions: Statement
  private let formerSets: FormerSets
  private let begin: Statement
  private let commit: Statement
  private var newest: ConversationID?

  init(_ connection: borrowing Connection) throws(SQLiteError) {
    begin = try connection.prepare("BEGIN")
    commit = try connection.prepare("COMMIT")
    selectConversations = try connection.prepare(
      """
      SELECT number, id, created_at FROM conversations
      WHERE number BETWEEN :first AND :last ORDER BY number
      """)
    selectActivity = try connection.prepare(
      """
      SELECT conversations.id, activity.last_activity,
        activity.project IS conversations.project AND activity.item_count IS (
          SELECT count(*) FROM items INDEXED BY items_by_conversation
          WHERE items.conversation = conversations.number)
      FROM conversations LEFT JOIN activity ON activity.conversation = conversations.number
      WHERE conversations.number BETWEEN :first AND :last ORDER BY conversations.number
      """)
    selectVersions = try connection.prepare(
      """
      SELECT coalesce(conversations.id, 'number ' || former.conversation), former.conversation,
        former.version, former.replaced_by, former.request_id
      FROM metadata_history AS former
      LEFT JOIN conversations ON conversations.number = former.conversation
      WHERE former.conversation BETWEEN :first AND :last
      ORDER BY former.conversation, former.version
      """)
    formerSets = try FormerSets(connection)
    selectItems = try connection.prepare(
      """
      SELECT items.id, items.type, items.fields,
        coalesce(conversations.id, 'number ' || items.conversation),
        json_valid(items.fields) AND conversations.project IS items.project
      FROM items LEFT JOIN conversations ON conversations.number = items.conversation
      WHERE items.conversation BETWEEN :first AND :last
      ORDER BY items.conversation, items.number
      """)
    selectPairs = try connection.prepare(
      """
      SELECT coalesce(conversations.id, 'number ' || metadata.conversation), key, value
      FROM metadata LEFT JOIN conversations ON conversations.number = metadata.conversation
      WHERE metadata.conversation BETWEEN :first AND :last
      ORDER BY metadata.conversation, key
      """)
  }

  /// Looks at the rows of these numbers as of one moment.
  func check(
    _ numbers: ClosedRange<Int64>, _ report: inout DatabaseReport
  ) throws(SQLiteError) {
    try begin.run()
    do throws(SQLiteError) {
      try checkConversations(numbers, &report)
      try checkPairs(numbers, &report)
      try checkItems(numbers, &report)
      try checkActivity(numbers, &report)
      try checkHistory(numbers, &report)
    } catch {
      try? commit.run()
      throw error
    }
    try commit.run()
  }

  /// Runs a statement over the rows of these numbers.
  private func forEachRow(
    of select: borrowing Statement, _ numbers: ClosedRange<Int64>,
    _ body: (borrowing Statement) throws(SQLiteError) -> Void
  ) throws(SQLiteError) {
    defer { select.reset() }
    select.bind(":first", numbers.lowerBound)
    select.bind(":last", numbers.upperBound)
    while try select.step() { try body(select) }
  }

  private func checkConversations(
    _ numbers: ClosedRange<Int64>, _ report: inout DatabaseReport
  ) throws(SQLiteError) {
    try forEachRow(of: selectConversations, numbers) { row in
      report.conversationCount += 1
      let id = row.text(1).flatMap { ConversationID($0) }
      if let id {
        if let newest, id < newest {
          report.findings.append(.outOfOrder(conversation: id.description))
        }
        newest = max(newest ?? id, id)
      }
      if id?.createdAt != row.integer(2) {
        report.findings.append(.unreadableConversation(number: row.integer(0)))
      }
    }
  }

  private func checkItems(
    _ numbers: ClosedRange<Int64>, _ report: inout DatabaseReport
  ) throws(SQLiteError) {
    try forEachRow(of: selectItems, numbers) { row in
      report.itemCount += 1
      if Item(row: row) == nil || row.integer(4) != 1 {
        report.findings.append(
          .unreadableItem(
            conversation: row.repairedText(3), item: row.repairedText(0)))
      }
    }
  }

  private func checkActivity(
    _ numbers: ClosedRange<Int64>, _ report: inout DatabaseReport
  ) throws(SQLiteError) {
    try forEachRow(of: selectActivity, numbers) { row in
      // One that cannot be an id is a finding already.
      guard let id = row.text(0).flatMap({ ConversationID($0) }) else { return }
      if row.integer(2) != 1 || row.integer(1) < id.createdAtMicroseconds {
        report.findings.append(.wrongActivity(conversation: id.description))
      }
    }
  }

  private func checkHistory(
    _ numbers: ClosedRange<Int64>, _ report: inout DatabaseReport
  ) throws(SQLiteError) {
    try forEachRow(of: selectVersions, numbers) { row throws(SQLiteError) in
      let set = try formerSets.set(row.integer(2), of: row.integer(1))
      if case .readable = set, row.text(3) != nil, row.text(4) != nil { return }
      report.findings.append(
        .unreadableVersion(conversation: row.repairedText(0), version: row.integer(2)))
    }
  }

  private func checkPairs(
    _ numbers: ClosedRange<Int64>, _ report: inout DatabaseReport
  ) throws(SQLiteError) {
    var conversation = ""
    var count = 0
    func checkCount() {
      guard count > Metadata.pairsMax else { return }
      report.findings.append(.tooManyPairs(conversation: conversation, count: count))
    }
    try forEachRow(of: selectPairs, numbers) { row in
      report.pairCount += 1
      if row.repairedText(0) != conversation {
        checkCount()
        conversation = row.repairedText(0)
        count = 0
      }
      count += 1
      let shownKey = row.repairedText(1)
      if let key = row.text(1), let value = row.text(2) {
        if (try? Metadata.Pair(key: key, value: value)) == nil {
          report.findings.append(.limit(conversation: conversation, key: shownKey))
        }
      } else {
        report.findings.append(.notUTF8(conversation: conversation, key: shownKey))
      }
    }
    checkCount()
  }
}
