import Conversations
import Testing

@Suite struct ConversationQueryTests {
  private func pair(_ key: String, _ value: String) throws -> Metadata.Pair {
    try Metadata.Pair(key: key, value: value)
  }

  /// The conditions as a person would write them.
  private func words(_ query: ConversationQuery) -> [String] {
    query.conditions.map { condition in
      switch condition {
      case .value(let key, let values): "\(key)=\(values.joined(separator: "|"))"
      case .exists(let key): "+\(key)"
      case .absent(let key): "-\(key)"
      }
    }
  }

  @Test func `a new query asks for everything, newest first`() {
    let query = ConversationQuery()
    #expect(query.order == .descending)
    #expect(query.limit == 20)
    #expect(query.conditions.isEmpty)
    #expect(query.after == nil && query.before == nil)
    #expect(query.createdFrom == nil && query.createdBefore == nil)
    #expect(ConversationQuery.limits == 1...100)
    #expect(ConversationQuery.Order.allCases.map(\.rawValue) == ["asc", "desc"])
  }

  @Test func `several values of a key are alternatives, several keys are all demanded`() throws {
    var query = ConversationQuery()
    try query.require(pair("a", "1"))
    try query.require(pair("b", "1"))
    try query.require(key: "a")
    try query.require(pair("a", "2"))
    try query.require(pair("a", "1"))
    try query.refuse(key: "a")
    #expect(words(query) == ["a=1|2", "b=1", "+a", "-a"])
  }

  @Test func `two spellings of a key or of a value are two`() throws {
    var query = ConversationQuery()
    for key in ["\u{E9}", "e\u{301}"] {
      for value in ["\u{C5}", "\u{212B}"] { try query.require(pair(key, value)) }
    }
    let conditions = query.conditions.map { condition -> [String] in
      guard case .value(let key, let values) = condition else { return [] }
      return [key] + values
    }
    try #require(conditions.map(\.count) == [3, 3])
    #expect(conditions[0].map(\.bytes) == ["\u{E9}", "\u{C5}", "\u{212B}"].map(\.bytes))
    #expect(conditions[1].map(\.bytes) == ["e\u{301}", "\u{C5}", "\u{212B}"].map(\.bytes))
  }

  @Test func `a query has at most 16 conditions, of whatever kind`() throws {
    var query = ConversationQuery()
    for number in 0..<14 { try query.require(pair("k\(number)", "")) }
    try query.require(key: "exists")
    try query.refuse(key: "absent")
    let before = words(query)
    let another = try pair("new", "")
    #expect(throws: ConversationQueryError.tooManyConditions) { try query.require(another) }
    #expect(throws: ConversationQueryError.tooManyConditions) { try query.require(key: "k0") }
    #expect(throws: ConversationQueryError.tooManyConditions) { try query.refuse(key: "k0") }
    #expect(words(query) == before)
    // What is demanded already is no further condition, and so is another value of its key.
    try query.require(pair("k0", ""))
    try query.require(key: "exists")
    try query.refuse(key: "absent")
    #expect(words(query) == before)

    try query.require(pair("k0", "2"))
    #expect(query.conditions.count == 16)
  }

  @Test func `a condition has at most 16 values`() throws {
    var query = ConversationQuery()
    for number in 0..<16 { try query.require(pair("k", "\(number)")) }
    let known = try pair("k", "7")
    let another = try pair("k", "16")
    try query.require(known)
    #expect(throws: ConversationQueryError.tooManyValues(key: "k")) {
      try query.require(another)
    }
    #expect(words(query) == ["k=" + (0..<16).map(String.init).joined(separator: "|")])
    try query.require(pair("other", "1"))
  }
}

extension String {
  fileprivate var bytes: [UInt8] { Array(utf8) }
}
