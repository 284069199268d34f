/// What the service should answer, in the plainest way: an array in the order of creation, no SQL.
///
/// Keys and values are numbers, the places of their texts in `Words`, so that nothing here compares
/// strings as the service does.
struct Model {
  typealias Pairs = [Int: Int]

  struct Content: Hashable {
    let id: String
    var pairs: Pairs
  }

  /// What a client sees of an answer, without what belongs to one request alone.
  struct Outcome: Equatable {
    var status = 200
    /// The body of a success, the code of an error.
    var body = ""
    var isReplay = false
  }

  private struct Record {
    let pairs: Pairs
    let answer: Outcome
    let content: Content
    let madeAt: Int64
  }

  static let idempotencySeconds: Int64 = 86_400

  private(set) var conversations: [Content] = []
  private(set) var deletedIDs: [String] = []
  private var records: [String: Record] = [:]
  /// The ETag of each content that was seen so far.
  private(set) var eTags: [Content: String] = [:]
  /// The ETags that each conversation ever had, in the order in which they were seen.
  private(set) var eTagsByID: [String: [String]] = [:]

  /// What an operation is answered, and of which content the ETag is.
  ///
  /// - Parameters:
  ///   - now: The clock.
  ///   - newID: The id that the service gave, if it makes a conversation.
  mutating func answer(
    _ operation: Operation, now: Int64, newID: String
  ) -> (outcome: Outcome, content: Content?) {
    switch operation {
    case .create(let pairs, let key):
      return create(pairs, key, now, newID)
    case .update(let id, let pairs, let condition):
      if pairs.count > 16 { return Self.tooManyPairs }
      return change(id, condition) { _ in pairs }
    case .patch(let id, let changes, let condition):
      if changes.values.count(where: { $0 != nil }) > 16 { return Self.tooManyPairs }
      return change(id, condition) { pairs in
        pairs.merging(changes.compactMapValues { $0 }) { $1 }.filter {
          changes[$0.key] != .some(nil)
        }
      }
    case .clear(let id, let condition):
      return change(id, condition) { _ in [:] }
    case .delete(let id, let condition):
      guard let content = content(id) else { return Self.notFound }
      if condition.failure(eTags[content]!) != nil { return Self.preconditionFailed }
      conversations.removeAll { $0.id == id }
      deletedIDs.append(id)
      records = records.filter { $0.value.content.id != id }
      return (
        Outcome(body: #"{"id":"\#(id)","object":"conversation.deleted","deleted":true}"#), nil
      )
    case .read(let id, let condition):
      guard let content = content(id) else { return Self.notFound }
      return switch condition.failure(eTags[content]!) {
      case .match: Self.preconditionFailed
      case .noneMatch: (Outcome(status: 304), content)
      case nil: (Outcome(body: json(content)), content)
      }
    case .list(let query):
      return (Outcome(body: page(query)), nil)
    }
  }

  /// Remembers the ETag that the service gave a content.
  ///
  /// - Returns: False when it had another one before, or when another content has it.
  mutating func learn(_ eTag: String, of content: Content) -> Bool {
    if let known = eTags[content] { return known == eTag }
    guard !eTagsByID.values.contains(where: { $0.contains(eTag) }) else { return false }
    eTags[content] = eTag
    eTagsByID[content.id, default: []].append(eTag)
    return true
  }

  mutating func forgetOldKeys(now: Int64) {
    records = records.filter { $0.value.madeAt > now - Self.idempotencySeconds }
  }

  /// The pairs of the request that a key stands for.
  func request(under key: String) -> Pairs? { records[key]?.pairs }

  private static let tooManyPairs: (Outcome, Content?) = (
    Outcome(status: 400, body: "object_above_max_properties"), nil
  )

  private static let notFound: (Outcome, Content?) = (Outcome(status: 404), nil)

  private static let preconditionFailed: (Outcome, Content?) = (
    Outcome(status: 412, body: "precondition_failed"), nil
  )

  private func content(_ id: String) -> Content? { conversations.first { $0.id == id } }

  private mutating func create(
    _ pairs: Pairs, _ key: String?, _ now: Int64, _ newID: String
  ) -> (Outcome, Content?) {
    if pairs.count > 16 { return Self.tooManyPairs }
    if let key, let record = records[key], record.madeAt > now - Self.idempotencySeconds {
      guard record.pairs == pairs else {
        return (Outcome(status: 422, body: "idempotency_key_reused"), nil)
      }
      var answer = record.answer
      answer.isReplay = true
      return (answer, record.content)
    }
    // Also those that are deleted: somebody may hold one as the place in a walk.
    let newest = (conversations.map(\.id) + deletedIDs).max()
    var createdAt = max(now, newest.map { Self.createdAt($0) } ?? now)
    // Behind the newest id, time goes on from that.
    if createdAt > now, newID.hasPrefix("conv_\(String(createdAt + 1, radix: 16))") {
      createdAt += 1
    }
    let isNext =
      newID.hasPrefix("conv_\(String(createdAt, radix: 16))") && newest.map { $0 < newID } ?? true
    guard isNext else { return (Outcome(body: "an id of \(createdAt) after all others"), nil) }
    let content = Content(id: newID, pairs: pairs)
    conversations.append(content)
    let answer = Outcome(body: json(content))
    if let key {
      records[key] = Record(pairs: pairs, answer: answer, content: content, madeAt: now)
    }
    return (answer, content)
  }

  private mutating func change(
    _ id: String, _ condition: Condition, by change: (Pairs) -> Pairs
  ) -> (Outcome, Content?) {
    guard let index = conversations.firstIndex(where: { $0.id == id }) else {
      return Self.notFound
    }
    let stored = conversations[index]
    if condition.failure(eTags[stored]!) != nil { return Self.preconditionFailed }
    let pairs = change(stored.pairs)
    if pairs.count > 16 { return Self.tooManyPairs }
    conversations[index].pairs = pairs
    return (Outcome(body: json(conversations[index])), conversations[index])
  }

  private func page(_ query: Query) -> String {
    var found = conversations.filter(query.finds)
    if !query.isAscending { found.reverse() }
    // Only `before` alone asks for those nearest to its end.
    let shown =
      query.before != nil && query.after == nil
      ? found.suffix(query.limit ?? 20) : found.prefix(query.limit ?? 20)
    let data = shown.map(json).joined(separator: ",")
    let first = shown.first.map { "\"\($0.id)\"" } ?? "null"
    let last = shown.last.map { "\"\($0.id)\"" } ?? "null"
    return #"{"object":"list","data":[\#(data)],"first_id":\#(first),"#
      + #""has_more":\#(shown.count < found.count),"last_id":\#(last)}"#
  }

  private func json(_ content: Content) -> String {
    #"{"id":"\#(content.id)","object":"conversation","#
      + #""created_at":\#(Self.createdAt(content.id)),"metadata":\#(Words.json(content.pairs))}"#
  }

  static func createdAt(_ id: String) -> Int64 { Int64(id.dropFirst(5).prefix(8), radix: 16)! }
}

/// The texts that stand for the numbers of a `Model`.
enum Words {
  /// In code point order.
  static let keys = [
    "", "\n", " ", "\"", "%41", "+", "A", "[", "[]", "\\", "]", "a", "a b", "a&b=c", "a[b]", "b",
    "c",
    "e\u{301}", "key", "\u{E9}", "\u{301}", "\u{FE0F}", "\u{FFFD}", "😀",
  ]
  static let values = ["", "1", "2", "a+b", "\u{E9}", "e\u{301}"]

  /// An object with its keys in order.
  static func json(_ pairs: [Int: Int]) -> String {
    json(pairs.mapValues(Optional.some))
  }

  static func json(_ pairs: [Int: Int?]) -> String {
    let members = pairs.sorted { $0.key < $1.key }.map { key, value in
      "\(json(keys[key])):\(value.map { json(values[$0]) } ?? "null")"
    }
    return "{\(members.joined(separator: ","))}"
  }

  private static func json(_ text: String) -> String {
    let escaped = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
    return "\"\(escaped.replacing("\n", with: "\\n"))\""
  }

  /// Percent-encoded but for ASCII letters and digits.
  static func encoded(_ text: String) -> String {
    text.utf8.map { byte in
      let scalar = UnicodeScalar(byte)
      return scalar.isASCII && scalar.properties.isAlphabetic || (0x30...0x39).contains(byte)
        ? String(scalar) : "%" + String(Int(byte) + 0x100, radix: 16).dropFirst()
    }.joined()
  }
}
