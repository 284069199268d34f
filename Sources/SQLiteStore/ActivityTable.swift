internal import SQLite

/// The activity of conversations, inside the writer's transactions. Triggers keep its rows and count the
/// items; only the microsecond of an append is said here.
final class ActivityTable {
  private let update: Statement

  init(_ connection: borrowing Connection) throws(SQLiteError) {
    // A conversation never goes back in the order, so that a walk towards the newest misses none when
    // the clock is set back.
    update = try connection.prepare(
      """
      UPDATE activity SET last_activity = max(last_activity, :microseconds)
      WHERE conversation = :conversation
      """)
  }

  /// Notes that something happens in a conversation now.
  func note(_ conversation: Int64, atMicroseconds microseconds: Int64) throws(SQLiteError) {
    update.bind(":conversation", conversation)
    update.bind(":microseconds", microseconds)
    try update.run()
  }
}
