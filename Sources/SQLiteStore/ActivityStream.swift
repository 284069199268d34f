internal import Conversations
internal import SQLite

/// A place in the order of last activity. What is equal in that is in the order of creation, which is
/// that of the numbers.
struct ActivityPlace: Comparable {
  /// Unix microseconds.
  let microseconds: Int64
  /// The conversation's number.
  let number: Int64

  static func < (left: ActivityPlace, right: ActivityPlace) -> Bool {
    (left.microseconds, left.number) < (right.microseconds, right.number)
  }
}

/// The conversations of a project in the order of last activity, from a place on.
///
/// They are two ranges of one index: what is equal to the place where it begins, and what lies beyond.
/// A comparison of row values would be one statement, but SQLite 3.40 enters the index by the first of
/// the two alone, and passes all that is equal one by one.
///
/// A stream is used for one walk after another: `start` binds where it begins.
final class ActivityStream {
  private let equal: Statement
  private let beyond: Statement
  private var hasEqual = false

  init(_ direction: WalkDirection, on connection: borrowing Connection) throws(SQLiteError) {
    equal = try connection.prepare(Self.sqlOfEqual(direction))
    beyond = try connection.prepare(Self.sqlOfBeyond(direction))
  }

  /// The conversations whose last activity is equal to that of a place, from that place on.
  static func sqlOfEqual(_ direction: WalkDirection) -> String {
    switch direction {
    case .up:
      """
      SELECT conversation, last_activity FROM activity INDEXED BY activity_by_time
      WHERE project = :project AND last_activity = :microseconds AND conversation >= :number
      ORDER BY conversation
      """
    case .down:
      """
      SELECT conversation, last_activity FROM activity INDEXED BY activity_by_time
      WHERE project = :project AND last_activity = :microseconds AND conversation <= :number
      ORDER BY conversation DESC
      """
    }
  }

  /// The conversations whose last activity lies beyond that of a place.
  static func sqlOfBeyond(_ direction: WalkDirection) -> String {
    switch direction {
    case .up:
      """
      SELECT conversation, last_activity FROM activity INDEXED BY activity_by_time
      WHERE project = :project AND last_activity > :microseconds
      ORDER BY last_activity, conversation
      """
    case .down:
      """
      SELECT conversation, last_activity FROM activity INDEXED BY activity_by_time
      WHERE project = :project AND last_activity < :microseconds
      ORDER BY last_activity DESC, conversation DESC
      """
    }
  }

  /// Begins a walk.
  func start(in project: ProjectID, from place: ActivityPlace) {
    equal.bind(":project", project.number)
    equal.bind(":microseconds", place.microseconds)
    equal.bind(":number", place.number)
    beyond.bind(":project", project.number)
    beyond.bind(":microseconds", place.microseconds)
    hasEqual = true
  }

  /// - Returns: nil at the end.
  func next() throws(SQLiteError) -> ActivityPlace? {
    if hasEqual {
      if try equal.step() {
        return ActivityPlace(microseconds: equal.integer(1), number: equal.integer(0))
      }
      hasEqual = false
    }
    guard try beyond.step() else { return nil }
    return ActivityPlace(microseconds: beyond.integer(1), number: beyond.integer(0))
  }

  /// Ends a walk; the stream holds no snapshot any more.
  func stop() {
    equal.reset()
    beyond.reset()
  }

  /// What the statements have done since they were compiled.
  var work: StatementWork { equal.work + beyond.work }
}
