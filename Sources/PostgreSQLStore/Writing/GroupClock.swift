internal import Conversations
internal import Repository

/// The clock of a lane's groups: the database's, read once for each group, by which ids are made. All
/// programs on one server so have one clock.
final class GroupClock {
  /// The moment of the group, in Unix microseconds: never before the newest id.
  private(set) var now: Int64 = 0
  /// What the database's clock said, in Unix microseconds: the age of idempotency keys is by it.
  private(set) var databaseTime: Int64 = 0
  private var newest: ConversationID?
  private lazy var clock = CreationClock(
    wallClock: { [unowned self] in databaseTime }, newest: nil)

  /// A group begins.
  ///
  /// - Parameters:
  ///   - microseconds: What the database's clock says.
  ///   - newest: The newest id that any lane has made; nil when there is none.
  func begin(atMicroseconds microseconds: Int64, newest: ConversationID?) {
    databaseTime = microseconds
    self.newest = newest
    now = max(microseconds, newest?.createdAtMicroseconds ?? 0)
  }

  /// An id that the group stores, after which those sort that it makes later.
  func see(_ id: ConversationID) {
    newest = newest.map { max($0, id) } ?? id
  }

  /// Makes an id that sorts after all that were made before the group began, and after those of the
  /// group. Also while the database's clock is behind them, as on a new primary, ids go on with time.
  func nextID() -> ConversationID {
    clock.nextID(after: newest)
  }
}
