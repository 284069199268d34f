import Conversations
import HTTP
import HTTPTypes
import JSON

@testable import API

/// A body becomes what the contract says, or the error that it says.
func checkBody(_ input: [UInt8]) throws {
  let isUpdate = input.first == UInt8(ascii: "U")
  let text = Array(input.dropFirst())
  let expected = Result { () throws(ReferenceBody.Refusal) in
    let body = try ReferenceBody(text)
    return isUpdate ? try body.update() : try body.creation()
  }
  if case .failure(let refusal) = expected, refusal.code == ReferenceBody.itemsCode {
    let items = Result { () throws(APIError) in
      try RequestBody(request(text)).creation(itemReader).1
    }
    return try checkItems(items, of: text)
  }
  let result = Result { () throws(APIError) in
    let body = try RequestBody(request(text))
    return isUpdate ? try body.update() : try body.creation(itemReader).0
  }
  try check(result, expected)
}

/// A merge patch of a stored set leaves what RFC 7396 says, or is refused as the contract says; and
/// done twice it leaves the same.
func checkPatch(_ input: [UInt8]) throws {
  let lines = input.split(
    separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
  let text = lines.count > 1 ? Array(lines[1]) : []
  let first = #"{"metadata":"#.bytes + lines[0] + "}".bytes
  let stored = (try? RequestBody(request(first)).creation(itemReader).0) ?? .empty
  let expected = Result { () throws(ReferenceBody.Refusal) in
    try ReferenceBody(text).patched(stored.byteKeyed)
  }
  let result = Result { () throws(APIError) in
    let change = try RequestBody(request(text), of: [RequestBody.mergePatch]).patch()
    do throws(MetadataError) {
      let changed = try change.applied(to: stored)
      return (changed, again: try change.applied(to: changed))
    } catch {
      throw .metadata(error)
    }
  }
  if case .success(let (changed, again)) = result {
    try require(again == changed, "a second time it leaves something else")
  }
  try check(result.map { $0.0 }, expected)
}

private let itemReader = ItemReader(types: ItemTypes(), unixSeconds: 0)

private func request(_ body: [UInt8]) -> Request {
  Request(method: .post, target: RequestTarget("/v1/conversations"), body: .bytes(body))
}

private func check(
  _ result: Result<Metadata, APIError>,
  _ expected: Result<ReferenceBody.Pairs, ReferenceBody.Refusal>
) throws {
  switch (result, expected) {
  case (.success(let metadata), .success(let pairs)):
    try require(metadata.byteKeyed == pairs, "another set than expected")
    try check(metadata)
  case (.failure(let error), .failure(let refusal)):
    let answer = try checkRefusal(error)
    try require(answer.code == refusal.code, "\(answer.code ?? "no code"), not \(refusal.code)")
    try require(answer.param?.bytes == refusal.param, "another param than expected")
  case (.success, .failure(let refusal)):
    throw Violation(description: "was taken, not refused with \(refusal.code)")
  case (.failure(let error), .success):
    throw Violation(description: "was refused with \(error)")
  }
}

/// A set is within the limits and in order, and is answered as it is.
private func check(_ metadata: Metadata) throws {
  let pairs = metadata.pairs
  try require(pairs.count <= 16, "\(pairs.count) pairs")
  for pair in pairs {
    try require(pair.key.bytes.codePointCount <= 64, "a key over the limit")
    try require(pair.value.bytes.codePointCount <= 512, "a value over the limit")
    try require(!pair.key.bytes.contains(0) && !pair.value.bytes.contains(0), "U+0000")
  }
  for (pair, next) in zip(pairs, pairs.dropFirst()) {
    try require(
      pair.key.unicodeScalars.lexicographicallyPrecedes(next.key.unicodeScalars), "not in order")
  }
  let id = ConversationID("conv_" + String(repeating: "0", count: 48))!
  let written = JSONBody.conversation(Conversation(id: id, metadata: metadata)).bytes
  guard case .object(let members) = try ReferenceJSON(written),
    case .object(let answered) = members.last?.value
  else { throw Violation(description: "not answered as an object") }
  let isSame = pairs.elementsEqual(answered) { pair, member in
    guard case .string(let value) = member.value else { return false }
    return pair.key.bytes == member.key && pair.value.bytes == value
  }
  try require(isSame, "answered as another set")
}

/// A refusal is answered with a 4xx whose JSON says what it should.
@discardableResult
func checkRefusal(_ error: APIError) throws -> ErrorResponse {
  let answer = ErrorResponse(error)
  try require(answer.status.kind == .clientError, "answered with \(answer.status)")
  try require(error.cause == nil, "counts as the server's fault")
  let json = try JSON(parsing: answer.response.body)
  guard json.members?.map(\.key) == ["error"], let error = json["error"],
    error.members?.map(\.key) == ["message", "type", "param", "code"],
    let message = error["message"]?.string, let param = error["param"]
  else { throw Violation(description: "another envelope") }
  try require(message.hasSameBytes(as: answer.message) && !message.isEmpty, "another message")
  try require(param.kind == .null || param.kind == .string, "param is no string")
  try require(param.string?.bytes == answer.param?.bytes, "another param")
  return answer
}

extension Metadata {
  /// The pairs by their bytes.
  var byteKeyed: ReferenceBody.Pairs {
    Dictionary(pairs.map { ($0.key.bytes, $0.value.bytes) }) { $1 }
  }
}
