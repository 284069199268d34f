/// A request of the kind that `Model` understands.
enum Operation {
  case create(Model.Pairs, key: String?)
  case update(String, Model.Pairs, Condition)
  /// nil removes a key.
  case patch(String, [Int: Int?], Condition)
  case clear(String, Condition)
  case delete(String, Condition)
  case read(String, Condition)
  case list(Query)

  typealias Request = (
    method: String, target: String, headers: [(name: String, value: String)], json: String
  )

  /// As it is sent.
  var request: Request {
    let root = "/v1/conversations"
    switch self {
    case .create(let pairs, let key):
      return (
        "POST", root, key.map { [("Idempotency-Key", $0)] } ?? [],
        pairs.isEmpty ? "" : #"{"metadata":\#(Words.json(pairs))}"#
      )
    case .update(let id, let pairs, let condition):
      let json = pairs.isEmpty ? "null" : Words.json(pairs)
      return ("POST", "\(root)/\(id)", condition.headers, #"{"metadata":\#(json)}"#)
    case .patch(let id, let changes, let condition):
      let json = changes.isEmpty ? "{}" : #"{"metadata":\#(Words.json(changes))}"#
      return ("PATCH", "\(root)/\(id)", condition.headers, json)
    case .clear(let id, let condition):
      return ("PATCH", "\(root)/\(id)", condition.headers, #"{"metadata":null}"#)
    case .delete(let id, let condition):
      return ("DELETE", "\(root)/\(id)", condition.headers, "")
    case .read(let id, let condition):
      return ("GET", "\(root)/\(id)", condition.headers, "")
    case .list(let query):
      return ("GET", "\(root)?\(query.parameters.joined(separator: "&"))", [], "")
    }
  }
}

/// `If-Match` and `If-None-Match`.
struct Condition {
  enum Tags {
    case any
    case list([(eTag: String, isWeak: Bool)])
    case malformed

    var field: String {
      switch self {
      case .any: "*"
      case .list(let tags): tags.map { ($0.isWeak ? "W/" : "") + $0.eTag }.joined(separator: ", ")
      case .malformed: "0123456789abcdef0123456789abcdef"
      }
    }

    func names(_ eTag: String, weakly: Bool) -> Bool {
      switch self {
      case .any: true
      case .list(let tags): tags.contains { $0.eTag == eTag && (weakly || !$0.isWeak) }
      case .malformed: false
      }
    }
  }

  var match: Tags?
  var noneMatch: Tags?

  var headers: [(name: String, value: String)] {
    [("If-Match", match), ("If-None-Match", noneMatch)].compactMap { name, tags in
      tags.map { (name, $0.field) }
    }
  }

  enum Failure { case match, noneMatch }

  /// Which of the two fails for a conversation with this ETag.
  func failure(_ eTag: String) -> Failure? {
    if let match, !match.names(eTag, weakly: false) { return .match }
    if let noneMatch, noneMatch.names(eTag, weakly: true) { return .noneMatch }
    return nil
  }
}

/// A query of the list.
struct Query {
  enum Filter {
    case value(Int, oneOf: [Int])
    case exists(Int)
    case absent(Int)
  }

  var isAscending = false
  var limit: Int?
  var after: String?
  var before: String?
  var filters: [Filter] = []
  var createdFrom: Int64?
  var createdTo: Int64?
  /// As they are sent, in any order.
  var parameters: [String] = []

  func finds(_ conversation: Model.Content) -> Bool {
    let createdAt = Model.createdAt(conversation.id)
    let (lower, upper) = isAscending ? (after, before) : (before, after)
    return lower.map { conversation.id > $0 } ?? true
      && upper.map { conversation.id < $0 } ?? true
      && createdFrom.map { createdAt >= $0 } ?? true && createdTo.map { createdAt <= $0 } ?? true
      && filters.allSatisfy { filter in
        switch filter {
        case .value(let key, let values): conversation.pairs[key].map(values.contains) ?? false
        case .exists(let key): conversation.pairs[key] != nil
        case .absent(let key): conversation.pairs[key] == nil
        }
      }
  }
}
