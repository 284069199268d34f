import Conversations

@testable import API

/// A query that was taken is within the limits and demands what its parameters name, no more and no
/// less (contract, section 6).
func check(
  _ query: ConversationQuery, says parameters: [(name: String, value: String)]
) throws(Violation) {
  try checkLimits(query)
  var demanded: [[UInt8]: Set<[UInt8]>] = [:]
  var included: Set<[UInt8]> = []
  var single: [[UInt8]: [UInt8]] = [:]
  for (name, value) in parameters {
    let name = name.bytes
    let bare = withoutListBrackets(name)
    if bare.starts(with: "metadata[".utf8), bare.last == UInt8(ascii: "]") {
      demanded["=".bytes + bare.dropFirst(9).dropLast(), default: []].insert(value.bytes)
    } else if bare == "metadata_exists".bytes[...] {
      demanded["+".bytes + value.bytes] = []
    } else if bare == "metadata_absent".bytes[...] {
      demanded["-".bytes + value.bytes] = []
    } else if bare == "include".bytes[...] {
      included.insert(value.bytes)
    } else {
      try require(single.updateValue(value.bytes, forKey: name) == nil, "taken twice")
    }
  }
  let found = Dictionary(query.conditions.map(\.demand)) { first, _ in first }
  try require(found.count == query.conditions.count, "a key in two conditions")
  try require(found == demanded, "other conditions than in the parameters")
  try require(single["after".bytes] == query.after?.description.bytes, "another place after")
  try require(single["before".bytes] == query.before?.description.bytes, "another place before")
  try require(
    single["order".bytes] ?? "desc".bytes == query.order.rawValue.bytes, "another order")
  try require(
    single["order_by".bytes] ?? "created_at".bytes == query.orderBy.rawValue.bytes, "another key")
  try require(included == Set(query.included.map(\.rawValue.bytes)), "something else included")
  let limit = single["limit".bytes].map { Int(String(decoding: $0, as: UTF8.self)) } ?? 20
  try require(limit == query.limit, "another limit")
  try checkTimes(query, single)
}

/// A list's name ends with `[]`; in `metadata[a[]` they are not a list's but the key's, `a[`.
private func withoutListBrackets(_ name: [UInt8]) -> ArraySlice<UInt8> {
  let isList = name.suffix(2) == "[]".bytes[...]
  let bare = name.dropLast(2)
  return isList && (bare.last == 0x5d || !bare.contains(0x5b)) ? bare : name[...]
}

private func checkLimits(_ query: ConversationQuery) throws(Violation) {
  try require((1...100).contains(query.limit), "limit \(query.limit)")
  try require(query.conditions.count <= 16, "\(query.conditions.count) conditions")
  for (name, values) in query.conditions.map(\.demand) {
    try require(name.dropFirst().codePointCount <= 64 && !name.contains(0), "an impossible key")
    try require(values.count <= 16, "\(values.count) values")
    for value in values {
      try require(value.codePointCount <= 512 && !value.contains(0), "an impossible value")
    }
  }
}

private func checkTimes(
  _ query: ConversationQuery, _ single: [[UInt8]: [UInt8]]
) throws(Violation) {
  func bound(_ name: String, plus step: Int128) -> Int64? {
    single["created_at[\(name)]".bytes].map { digits in
      let text = String(decoding: digits, as: UTF8.self)
      // Wide enough for every sum; what is wider still is clamped all the same.
      let number = Int128(text) ?? (text.hasPrefix("-") ? -1 << 100 : 1 << 100)
      return Int64(clamping: Int128(Int64(clamping: number)) + step)
    }
  }
  let from = [bound("gte", plus: 0), bound("gt", plus: 1)].compactMap { $0 }.max()
  let before = [bound("lt", plus: 0), bound("lte", plus: 1)].compactMap { $0 }.min()
  try require(query.createdFrom == from, "another beginning")
  try require(query.createdBefore == before, "another end")
}

extension ConversationQuery {
  /// Parameters that say the same.
  var parameters: [(name: String, value: String)] {
    var parameters = [("limit", "\(limit)"), ("order", order.rawValue)]
    if orderBy != .createdAt { parameters.append(("order_by", orderBy.rawValue)) }
    parameters += included.map(\.rawValue).sorted().map { ("include[]", $0) }
    if let after { parameters.append(("after", after.description)) }
    if let before { parameters.append(("before", before.description)) }
    if let createdFrom { parameters.append(("created_at[gte]", "\(createdFrom)")) }
    if let createdBefore { parameters.append(("created_at[lt]", "\(createdBefore)")) }
    for condition in conditions {
      switch condition {
      case .value(let key, let values): parameters += values.map { ("metadata[\(key)][]", $0) }
      case .exists(let key): parameters.append(("metadata_exists[]", key))
      case .absent(let key): parameters.append(("metadata_absent[]", key))
      }
    }
    return parameters.map { (name: $0.0, value: $0.1) }
  }
}

extension ConversationQuery.Condition {
  /// What is demanded, as bytes: a sign for the kind and the key, and the values.
  fileprivate var demand: (name: [UInt8], values: Set<[UInt8]>) {
    switch self {
    case .value(let key, let values): ("=".bytes + key.bytes, Set(values.map(\.bytes)))
    case .exists(let key): ("+".bytes + key.bytes, [])
    case .absent(let key): ("-".bytes + key.bytes, [])
    }
  }
}
