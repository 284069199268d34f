import Conversations
import HTTP
import HTTPTypes

@testable import API

/// A target is taken apart without loss and decoded byte for byte; the query of a list
/// becomes what its parameters say, within the limits, or an error.
func checkQuery(_ input: [UInt8]) throws {
  // libmicrohttpd ends a target at a NUL, and the server encodes what is not UTF-8.
  let raw = String(decoding: input.prefix { $0 != 0 }, as: UTF8.self)
  let target = RequestTarget(raw)
  try checkParts(target, of: raw)
  try checkSegments(target)
  try checkRoute(target)
  guard let parameters = try checkParameters(target) else { return }
  try checkFacets(parameters)
  do {
    let query = try ListParameters(parameters).query
    try check(query, says: parameters)
    let again = try ListParameters(query.parameters).query
    let isSame = again.parameters.elementsEqual(query.parameters) {
      $0.name.bytes == $1.name.bytes && $0.value.bytes == $1.value.bytes
    }
    try require(isSame, "written and read it is another query")
  } catch let error as APIError {
    let answer = try checkRefusal(error)
    try require(answer.status == .badRequest && answer.param != nil, "a refusal without a param")
  }
}

/// What is taken for keys, values or a count is within the limits, or an error that names a parameter.
private func checkFacets(_ parameters: [(name: String, value: String)]) throws {
  let readers: [() throws -> FacetQuery] = [
    { try FacetParameters(ofKeys: parameters).query },
    { try FacetParameters(ofValues: parameters).query },
  ]
  for (read, limits) in zip(readers, [1...500, 1...100]) {
    do {
      let query = try read()
      try require(limits.contains(query.limit), "limit \(query.limit)")
      try require((0...10_000).contains(query.countLimit), "up to \(query.countLimit)")
      for text in [query.prefix, query.after ?? ""] {
        try require(query.conversations(with: text) != nil, "a facet that cannot be")
      }
    } catch let error as APIError {
      let answer = try checkRefusal(error)
      try require(answer.status == .badRequest && answer.param != nil, "a refusal without a param")
    }
  }
  do {
    let count = try ListParameters(parameters, of: .count)
    try require((1...1_000_000).contains(count.countLimit), "up to \(count.countLimit)")
    try require(count.query.after == nil && count.query.before == nil, "a count with a place")
  } catch let error as APIError {
    try checkRefusal(error)
  }
}

private func checkParts(_ target: RequestTarget, of raw: String) throws(Violation) {
  // The scheme may be in capitals; it ends with the second slash.
  let scheme = target.authority == nil ? 0 : raw.lowercased().hasPrefix("https") ? 8 : 7
  let front = raw.bytes.prefix(scheme) + (target.authority ?? "").bytes
  let back = target.query.map { "?".bytes + $0.bytes } ?? []
  // An empty path is shown as a slash.
  try require(
    front + target.path.bytes + back == raw.bytes
      || (target.path == "/" && front + back == raw.bytes), "a part is lost")
}

private func checkSegments(_ target: RequestTarget) throws {
  var rest = target.path.bytes[...]
  if rest.first == UInt8(ascii: "/") { rest = rest.dropFirst() }
  let parts = rest.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
  do {
    let segments = try target.pathSegments()
    try requireAll(parts.map { decoded($0) }, are: Array(segments))
  } catch let error as PercentDecodingError {
    try check(error, in: target.path)
    try require(error.parameter == nil, "a parameter in a path")
    try require(parts.contains { decoded($0) == nil }, "a path that can be decoded is refused")
  }
}

/// - Returns: The parameters, and nil when they cannot be decoded.
private func checkParameters(
  _ target: RequestTarget
) throws -> [(name: String, value: String)]? {
  let parts = (target.query ?? "").bytes.split(separator: UInt8(ascii: "&")).map { part in
    part.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
  }
  do {
    let parameters = try target.queryParameters()
    try requireAll(
      parts.flatMap { halves in (halves + [[]]).prefix(2).map { decoded($0, plusIsSpace: true) } },
      are: parameters.flatMap { [$0.name, $0.value] })
    try checkEncoding(parameters)
    return parameters
  } catch let error as PercentDecodingError {
    try check(error, in: target.query ?? "")
    try checkRefusal(.malformedTarget(error))
    let broken = try require(
      parts.first { $0.contains { decoded($0, plusIsSpace: true) == nil } }, "can be decoded")
    try require(
      decoded(broken[0], plusIsSpace: true) == error.parameter?.bytes, "another parameter")
    return nil
  }
}

/// What is encoded byte by byte is decoded to the same.
private func checkEncoding(_ parameters: [(name: String, value: String)]) throws {
  let query = parameters.map { "\(encoded($0.name))=\(encoded($0.value))" }.joined(separator: "&")
  let again = try RequestTarget("/?\(query)").queryParameters()
  let isSame = again.elementsEqual(parameters) {
    $0.name.bytes == $1.name.bytes && $0.value.bytes == $1.value.bytes
  }
  try require(isSame, "encoded and decoded it is something else")
}

private func checkRoute(_ target: RequestTarget) throws {
  do {
    let match = try Route.find(Request(method: .get, target: target))
    try require(match.parameters.allSatisfy { !$0.isEmpty }, "an empty parameter of a path")
    try require(match.index < Route.all.count, "no such route")
  } catch let error as APIError {
    try checkRefusal(error)
  }
}

private func check(_ error: PercentDecodingError, in part: String) throws(Violation) {
  try require(!error.sequence.isEmpty, "an error without a sequence")
  let isThere = part.bytes.contains(error.sequence.bytes)
  try require(isThere, "a sequence that is not there")
}

private func requireAll(_ expected: [[UInt8]?], are texts: [String]) throws(Violation) {
  try require(expected == texts.map(\.bytes), "decoded as another text")
}

/// The bytes that a part stands for; nil when a `%` is broken or they are not UTF-8. Foundation's own
/// decoding would do, but for the U+FEFF that it drops at the beginning.
private func decoded(
  _ part: some Collection<UInt8>, plusIsSpace: Bool = false
) -> [UInt8]? {
  let pieces = part.split(separator: UInt8(ascii: "%"), omittingEmptySubsequences: false)
    .map { piece in piece.map { plusIsSpace && $0 == UInt8(ascii: "+") ? 0x20 : $0 } }
  var bytes = pieces[0]
  for piece in pieces.dropFirst() {
    let digits = piece.prefix(2).compactMap { hexadecimalDigits[$0] }
    guard digits.count == 2 else { return nil }
    bytes += [digits[0] << 4 | digits[1]] + piece.dropFirst(2)
  }
  return String(validating: bytes, as: UTF8.self).map(\.bytes)
}

private let hexadecimalDigits = Dictionary(
  uniqueKeysWithValues: "0123456789abcdefABCDEF".utf8.enumerated().map { index, digit in
    (digit, UInt8(index < 16 ? index : index - 6))
  })

private func encoded(_ text: String) -> String {
  text.utf8.map { "%" + String(0x100 + UInt16($0), radix: 16).dropFirst() }.joined()
}
