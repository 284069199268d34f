internal import Conversations
internal import Repository
internal import SQLite

/// The conversations that fulfil all conditions of a query, by their numbers, one after another.
///
/// The streams of the conditions are joined by leapfrog: the number at which one of them stands is
/// where the next is entered, until all agree (Veldhuizen, "Leapfrog Triejoin", section 3.1). So the
/// rarest condition sets the pace, whatever the order of the conditions, and no statistics and no
/// guess of a planner decide how long a query takes.
struct ConversationWalk {
  private let range: ClosedRange<Int64>
  private let direction: WalkDirection
  /// All of these must agree on a number; each is a list of alternatives.
  private let required: [[NumberStream]]
  /// None of these may have it.
  private let refused: [NumberStream]

  /// - Parameters:
  ///   - range: The numbers to look at.
  ///   - makeStream: Gives a stream for a kind, a key and a value.
  init(
    _ query: ConversationQuery, range: ClosedRange<Int64>, direction: WalkDirection,
    makeStream: (NumberStream.Kind, _ key: String?, _ value: String?) throws(SQLiteError)
      -> NumberStream
  ) throws(SQLiteError) {
    self.range = range
    self.direction = direction
    var required: [[NumberStream]] = []
    var refused: [NumberStream] = []
    for condition in query.conditions {
      switch condition {
      case .value(let key, let values):
        var alternatives: [NumberStream] = []
        for value in values { alternatives.append(try makeStream(.pair, key, value)) }
        required.append(alternatives)
      case .exists(let key): required.append([try makeStream(.key, key, nil)])
      case .absent(let key): refused.append(try makeStream(.key, key, nil))
      }
    }
    if required.isEmpty { required = [[try makeStream(.all, nil, nil)]] }
    self.required = required
    self.refused = refused
  }

  /// Where the walk begins.
  var start: Int64 { direction == .up ? range.lowerBound : range.upperBound }

  /// The first number from `number` on that fulfils everything; `number` never turns back.
  ///
  /// - Parameter isOver: Asked before each look into an index; true ends the walk.
  /// - Returns: nil at the end.
  /// - Throws: `.queryTimeout`.
  func first(from number: Int64, isOver: () -> Bool) throws(RepositoryError) -> Int64? {
    var position = Position(candidate: number)
    while range.contains(position.candidate) {
      if isOver() { throw .queryTimeout }
      switch try step(&position) {
      case .found(let number): return number
      case .end: return nil
      case .searching: continue
      }
    }
    return nil
  }

  /// How far a walk is.
  struct Position {
    /// Nothing before this number is looked for any more.
    var candidate: Int64
    /// How many streams have agreed on it.
    fileprivate var agreed = 0
    /// Which stream is asked next.
    fileprivate var index = 0

    init(candidate: Int64) { self.candidate = candidate }
  }

  /// What came of one look into an index.
  enum Step {
    case found(Int64)
    case searching
    case end
  }

  /// Looks into one index.
  func step(_ position: inout Position) throws(RepositoryError) -> Step {
    guard range.contains(position.candidate),
      let found = try first(of: required[position.index], from: position.candidate)
    else { return .end }
    position.agreed = found == position.candidate ? position.agreed + 1 : 1
    position.candidate = found
    position.index = (position.index + 1) % required.count
    guard position.agreed == required.count, range.contains(found) else { return .searching }
    position.candidate = direction.next(found)
    position.agreed = 0
    return try isRefused(found) ? .searching : .found(found)
  }

  private func first(
    of alternatives: [NumberStream], from number: Int64
  ) throws(RepositoryError) -> Int64? {
    var first: Int64?
    for stream in alternatives {
      guard let found = try rethrowing({ () throws(SQLiteError) in try stream.first(from: number) })
      else { continue }
      if first.map({ direction.visits(found, before: $0) }) ?? true { first = found }
    }
    return first
  }

  private func isRefused(_ number: Int64) throws(RepositoryError) -> Bool {
    for stream in refused {
      if try rethrowing({ () throws(SQLiteError) in try stream.first(from: number) }) == number {
        return true
      }
    }
    return false
  }
}
