internal import Conversations
internal import SQLite

/// The activity of conversations, inside the writer's transactions. Triggers keep its rows and count the
/// items; only the microsecond of an append is said here.
final class ActivityTable {
  private let update: Statement
  private let select: Statement

  init(_ connection: borrowing Connection) throws(SQLiteError) {
    // A conversation never goes back in the order, so that a walk towards the newest misses none when
    // the clock is set back.
    update = try connection.prepare(
      """
      UPDATE activity SET last_activity = max(last_activity, :microseconds)
      WHERE conversation = :conversation
      """)
    select = try connection.prepare(
      "SELECT last_activity, item_count FROM activity WHERE conversation = :conversation")
  }

  /// - Returns: nil when nothing is kept of it, which only somebody's hand can bring about.
  func activity(of conversation: Int64) throws(SQLiteError) -> Activity? {
    defer { select.reset() }
    select.bind(":conversation", conversation)
    guard try select.step() else { return nil }
    return Activity(lastMicroseconds: select.integer(0), itemCount: select.integer(1))
  }

  /// Notes that something happens in a conversation now.
  func note(_ conversation: Int64, atMicroseconds microseconds: Int64) throws(SQLiteError) {
    update.bind(":conversation", conversation)
    update.bind(":microseconds", microseconds)
    try update.run()
  }
}
