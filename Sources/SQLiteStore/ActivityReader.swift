internal import Conversations
internal import SQLite

/// Reads what is kept of the activity of conversations, on a read-only connection.
final class ActivityReader {
  private let select: Statement
  private let selectPlace: Statement
  private let up: ActivityStream
  private let down: ActivityStream

  init(_ connection: borrowing Connection) throws(SQLiteError) {
    select = try connection.prepare(
      "SELECT last_activity, item_count FROM activity WHERE conversation = :number")
    selectPlace = try connection.prepare(
      """
      SELECT activity.conversation, activity.last_activity
      FROM conversations JOIN activity ON activity.conversation = conversations.number
      WHERE conversations.id = :id AND conversations.project = :project
      """)
    up = try ActivityStream(.up, on: connection)
    down = try ActivityStream(.down, on: connection)
  }

  /// - Returns: nil when nothing is kept of it, which only somebody's hand can bring about.
  func activity(of number: Int64) throws(SQLiteError) -> Activity? {
    defer { select.reset() }
    select.bind(":number", number)
    guard try select.step() else { return nil }
    return Activity(lastMicroseconds: select.integer(0), itemCount: select.integer(1))
  }

  /// The present place of a conversation; nil when the project has no such.
  func place(of id: ConversationID, in project: ProjectID) throws(SQLiteError) -> ActivityPlace? {
    defer { selectPlace.reset() }
    try selectPlace.bind(":id", id.description)
    selectPlace.bind(":project", project.number)
    guard try selectPlace.step() else { return nil }
    return ActivityPlace(microseconds: selectPlace.integer(1), number: selectPlace.integer(0))
  }

  /// The stream of a direction, for one walk at a time.
  func stream(_ direction: WalkDirection) -> ActivityStream {
    switch direction {
    case .up: up
    case .down: down
    }
  }

  /// What all statements have done since they were compiled.
  var work: StatementWork { select.work + selectPlace.work + up.work + down.work }
}
