internal import Conversations
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
    var candidate = number
    var agreed = 0
    var index = 0
    while range.contains(candidate) {
      if isOver() { throw .queryTimeout }
      guard let found = try first(of: required[index], from: candidate) else { return nil }
      agreed = found == candidate ? agreed + 1 : 1
      candidate = found
      index = (index + 1) % required.count
      guard agreed == required.count, range.contains(candidate) else { continue }
      guard try isRefused(candidate) else { return candidate }
      candidate = direction.next(candidate)
      agreed = 0
    }
    return nil
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
