import TestSupport

/// Makes operations that fit what a model has stored, so that most of them meet something.
struct RandomOperations {
  private var generator: SeededGenerator

  init(seed: UInt64) {
    generator = SeededGenerator(seed: seed)
  }

  /// How far the clock goes until the next operation: often it stands still, sometimes it jumps
  /// over the life of an idempotency key, and sometimes it goes back.
  mutating func secondsPassed() -> Int64 {
    switch Int.random(in: 0..<20, using: &generator) {
    case 0: .random(in: -90_000...0, using: &generator)
    case 1: .random(in: 0...90_000, using: &generator)
    case 2...6: 1
    default: 0
    }
  }

  mutating func isOneIn(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &generator) == 0 }

  mutating func operation(on model: Model) -> Operation {
    switch Int.random(in: 0..<100, using: &generator) {
    case 0..<26: creation(on: model)
    case 26..<38: changing(model) { .update($1, $0.pairs(), $2) }
    case 38..<54: changing(model) { .patch($1, $0.changes(), $2) }
    case 54..<56: changing(model) { .clear($1, $2) }
    case 56..<65: changing(model) { .delete($1, $2) }
    case 65..<78: changing(model) { .read($1, $2) }
    default: .list(query(on: model))
    }
  }

  private mutating func changing(
    _ model: Model, _ make: (inout RandomOperations, String, Condition) -> Operation
  ) -> Operation {
    let id = id(in: model)
    let condition = condition(for: id, in: model)
    return make(&self, id, condition)
  }

  private mutating func creation(on model: Model) -> Operation {
    guard isOneIn(2) else { return .create(pairs(), key: nil) }
    let key = "key-\(Int.random(in: 0..<5, using: &generator))"
    let known = isOneIn(2) ? model.request(under: key) : nil
    return .create(known ?? pairs(), key: key)
  }

  /// Mostly one that exists.
  private mutating func id(in model: Model) -> String {
    let ids = isOneIn(10) ? model.deletedIDs : model.conversations.map(\.id)
    return ids.randomElement(using: &generator) ?? "conv_" + String(repeating: "1", count: 48)
  }

  private mutating func key() -> Int { Int.random(in: Words.keys.indices, using: &generator) }

  private mutating func value() -> Int { Int.random(in: Words.values.indices, using: &generator) }

  private mutating func pairs() -> Model.Pairs {
    let count = Int.random(in: isOneIn(8) ? 14...18 : 0...5, using: &generator)
    var pairs: Model.Pairs = [:]
    while pairs.count < count { pairs[key()] = value() }
    return pairs
  }

  private mutating func changes() -> [Int: Int?] {
    var changes: [Int: Int?] = [:]
    for (key, value) in pairs().sorted(by: { $0.key < $1.key }) {
      changes[key] = .some(isOneIn(3) ? nil : value)
    }
    return changes
  }

  private mutating func condition(for id: String, in model: Model) -> Condition {
    Condition(
      match: isOneIn(3) ? tags(for: id, in: model) : nil,
      noneMatch: isOneIn(4) ? tags(for: id, in: model) : nil)
  }

  private mutating func tags(for id: String, in model: Model) -> Condition.Tags {
    if isOneIn(8) { return isOneIn(2) ? .any : .malformed }
    // Those of this conversation, the one of today among them, and some others.
    let own = model.eTagsByID[id] ?? []
    let current = model.conversations.first { $0.id == id }.flatMap { model.eTags[$0] }
    let others = model.conversations.suffix(3).compactMap { model.eTags[$0] }
    var tags: [(String, Bool)] = []
    for candidates in [current.map { [$0] } ?? [], own, others] where isOneIn(2) {
      if let tag = candidates.randomElement(using: &generator) { tags.append((tag, isOneIn(4))) }
    }
    return .list(tags.shuffled(using: &generator))
  }

  mutating func query(on model: Model) -> Query {
    var query = Query()
    var parameters: [String] = []
    if isOneIn(2) {
      query.isAscending = isOneIn(2)
      parameters.append("order=\(query.isAscending ? "asc" : "desc")")
    }
    if !isOneIn(5) {
      let limit = Int.random(in: isOneIn(3) ? 1...100 : 1...8, using: &generator)
      query.limit = limit
      parameters.append("limit=\(limit)")
    }
    if isOneIn(3) {
      let id = id(in: model)
      query.after = id
      parameters.append("after=\(id)")
    }
    if isOneIn(3) {
      let id = id(in: model)
      query.before = id
      parameters.append("before=\(id)")
    }
    addTimes(to: &query, &parameters, model)
    for key in Set((0..<Int.random(in: 0...3, using: &generator)).map { _ in key() }).sorted() {
      addFilter(key, to: &query, &parameters)
    }
    query.parameters = parameters.shuffled(using: &generator)
    return query
  }

  private mutating func addTimes(
    to query: inout Query, _ parameters: inout [String], _ model: Model
  ) {
    if isOneIn(6) {
      let seconds = Model.createdAt(id(in: model))
      let isExclusive = isOneIn(2)
      query.createdFrom = isExclusive ? seconds + 1 : seconds
      parameters.append("created_at[\(isExclusive ? "gt" : "gte")]=\(seconds)")
    }
    if isOneIn(6) {
      let seconds = Model.createdAt(id(in: model))
      let isExclusive = isOneIn(2)
      query.createdTo = isExclusive ? seconds - 1 : seconds
      parameters.append("created_at%5B\(isExclusive ? "lt" : "lte")%5D=\(seconds)")
    }
  }

  private mutating func addFilter(
    _ key: Int, to query: inout Query, _ parameters: inout [String]
  ) {
    let name = Words.encoded(Words.keys[key])
    switch Int.random(in: 0..<4, using: &generator) {
    case 0:
      query.filters.append(.exists(key))
      parameters.append("metadata_exists[]=\(name)")
    case 1:
      query.filters.append(.absent(key))
      parameters.append("metadata_absent%5B%5D=\(name)")
    default:
      let values = (0..<Int.random(in: 1...4, using: &generator)).map { _ in value() }
      query.filters.append(.value(key, oneOf: values))
      for value in values {
        // The empty key needs the brackets of a list after its own.
        let brackets = isOneIn(2) || Words.keys[key].isEmpty ? "%5D[]" : "]"
        parameters.append("metadata[\(name)\(brackets)=\(Words.encoded(Words.values[value]))")
      }
    }
  }
}
