internal import Conversations
internal import SQLite

/// The direction of a walk through conversations by their numbers, which are in the order of
/// creation.
enum WalkDirection {
  case up, down

  /// Whether a walk comes to `left` first.
  func visits(_ left: Int64, before right: Int64) -> Bool {
    self == .up ? left < right : left > right
  }

  /// The number after `number` on a walk.
  func next(_ number: Int64) -> Int64 { self == .up ? number + 1 : number - 1 }
}

/// The numbers of the conversations of a project that fulfil one simple condition, in the order of a
/// walk: one range of one index, which is entered anywhere and left at any time.
///
/// A stream is used for one walk after another: `start` binds what it looks for.
final class NumberStream {
  /// What a stream looks for; each kind is one range of one index.
  enum Kind: CaseIterable {
    /// All conversations of the project.
    case all
    /// Those that have a key.
    case key
    /// Those that have a pair.
    case pair
  }

  /// How many numbers are passed one by one before the index is entered anew, which costs about as
  /// much as ten steps.
  private static let stepsMax = 6

  let kind: Kind
  let direction: WalkDirection
  private let select: Statement
  /// Where the statement stands; nil when it has not entered the index, and at the end.
  private var current: Int64?
  private var isAtEnd = false

  init(
    _ kind: Kind, _ direction: WalkDirection, on connection: borrowing Connection
  ) throws(SQLiteError) {
    self.kind = kind
    self.direction = direction
    select = try connection.prepare(Self.sql(kind, direction))
  }

  /// Each statement names its index, so that no statistics make the planner choose another.
  static func sql(_ kind: Kind, _ direction: WalkDirection) -> String {
    switch (kind, direction) {
    case (.all, .up):
      """
      SELECT number FROM conversations INDEXED BY conversations_by_project
      WHERE project = :project AND number >= :from ORDER BY number
      """
    case (.all, .down):
      """
      SELECT number FROM conversations INDEXED BY conversations_by_project
      WHERE project = :project AND number <= :from ORDER BY number DESC
      """
    case (.key, .up):
      """
      SELECT conversation FROM metadata INDEXED BY metadata_by_key
      WHERE project = :project AND key = :key AND conversation >= :from
      ORDER BY conversation
      """
    case (.key, .down):
      """
      SELECT conversation FROM metadata INDEXED BY metadata_by_key
      WHERE project = :project AND key = :key AND conversation <= :from
      ORDER BY conversation DESC
      """
    case (.pair, .up):
      """
      SELECT conversation FROM metadata INDEXED BY metadata_by_pair
      WHERE project = :project AND key = :key AND value = :value AND conversation >= :from
      ORDER BY conversation
      """
    case (.pair, .down):
      """
      SELECT conversation FROM metadata INDEXED BY metadata_by_pair
      WHERE project = :project AND key = :key AND value = :value AND conversation <= :from
      ORDER BY conversation DESC
      """
    }
  }

  /// Begins a walk.
  ///
  /// - Precondition: `key` and `value` are given as far as the kind has them.
  func start(in project: ProjectID, key: String?, value: String?) throws(SQLiteError) {
    select.bind(":project", project.number)
    if let key { try select.bind(":key", key) }
    if let value { try select.bind(":value", value) }
  }

  /// Ends a walk; the stream holds no snapshot any more.
  func stop() {
    select.reset()
    current = nil
    isAtEnd = false
  }

  /// The first number at `number` or after it, on a walk that never turns back.
  ///
  /// - Returns: nil at the end.
  func first(from number: Int64) throws(SQLiteError) -> Int64? {
    var stepsLeft = Self.stepsMax
    while let passed = current, direction.visits(passed, before: number) {
      if stepsLeft == 0 {
        select.reset()
        current = nil
      } else {
        try step()
        stepsLeft -= 1
      }
    }
    if current == nil, !isAtEnd {
      select.bind(":from", number)
      try step()
    }
    return current
  }

  private func step() throws(SQLiteError) {
    current = try select.step() ? select.integer(0) : nil
    isAtEnd = current == nil
  }

  /// What the statement has done since it was compiled.
  var work: StatementWork { select.work }
}
