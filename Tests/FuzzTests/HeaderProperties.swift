import Conversations
import HTTP
import HTTPTypes
import JSON
import Repository
import SQLiteStore

@testable import API

/// Header fields let in whom they should, name the contents that they should, and never break out of
/// the field, the log or the answer that they are repeated in.
func checkHeaders(_ input: [UInt8]) throws {
  let headers = headers(of: input)
  for field in headers {
    try require(field.value.utf8.allSatisfy { ![0, 10, 13].contains($0) }, "a field of two lines")
  }
  try checkPrecondition(headers)
  try checkContentType(headers)
  try checkIdempotencyKey(headers)
  try checkPreflight(headers)
  try checkGuard(headers)
  try checkAuthorization(headers)
  try checkAnswer(headers)
}

/// As the server collects them. In `Authorization` `$KEY` stands for an API key that counts; who puts
/// his key elsewhere, such as into the id that he wants in the log, has it there.
private func headers(of input: [UInt8]) -> HeaderFields {
  var headers = HeaderFields()
  for line in input.split(separator: UInt8(ascii: "\n")) {
    let halves = line.split(separator: UInt8(ascii: ":"), maxSplits: 1)
    guard halves.count == 2,
      let name = HTTPField.Name(String(decoding: halves[0], as: UTF8.self))
    else { continue }
    let key = FuzzedService.shared.key.utf8
    let value =
      name == .authorization ? Array(halves[1]).replacing("$KEY".utf8, with: key) : Array(halves[1])
    headers.append(HTTPField(name: name, value: value))
  }
  return headers
}

private func request(
  _ headers: HeaderFields, method: HTTPRequest.Method = .get, body: String = ""
) -> Request {
  Request(
    method: method, target: RequestTarget("/v1/conversations/conv_1"), headers: headers,
    body: .bytes(body.bytes))
}

private func checkPrecondition(_ headers: HeaderFields) throws(Violation) {
  let own = "000102030405060708090a0b0c0d0e0f"
  let hash = try require(ContentHash(own), "no hash")
  func names(_ name: HTTPField.Name, weakToo: Bool) -> Bool? {
    headers[name].map { field in
      let tags = ReferenceTags(field.bytes)
      return tags.isAny
        || tags.tags.contains { $0.opaque == own.bytes && (weakToo || !$0.isWeak) }
    }
  }
  let expected: Precondition.Failure? =
    names(.ifMatch, weakToo: false) == false
    ? .ifMatch : names(.ifNoneMatch, weakToo: true) == true ? .ifNoneMatch : nil
  let precondition = Precondition(headers)
  try require(
    precondition.isEmpty == (headers[.ifMatch] == nil && headers[.ifNoneMatch] == nil),
    "a precondition or none")
  var failure: Precondition.Failure?
  do {
    try precondition.require(hash)
  } catch {
    failure = error
  }
  try require(failure == expected, "\(failure, default: "no") failure of the precondition")
}

private func checkContentType(_ headers: HeaderFields) throws {
  let type = headers[.contentType].map { field in
    field.bytes.prefix { $0 != UInt8(ascii: ";") }.split { [0x20, 0x09].contains($0) }
  }
  let isJSON = type.map { $0.count == 1 && $0[0].isSame(as: "application/json") } ?? true
  do {
    _ = try RequestBody(request(headers, method: .post, body: "{}"))
    try require(isJSON, "was taken as JSON")
  } catch let error as APIError {
    try require(!isJSON, "was not taken as JSON")
    try checkRefusal(error)
  }
}

private func checkIdempotencyKey(_ headers: HeaderFields) throws(Violation) {
  guard let text = headers[.idempotencyKey], let key = IdempotencyKey(text, request: []) else {
    return
  }
  try require(key.text.bytes == text.bytes, "another idempotency key")
  try require((1...255).contains(key.text.utf8.count), "an idempotency key over the limit")
}

private func checkPreflight(_ headers: HeaderFields) throws(Violation) {
  let origin = "https://pages.example"
  let crossOrigin = CrossOrigin(origins: [origin])
  let isAllowed = headers[.origin]?.bytes == origin.bytes
  let answer = crossOrigin.preflight(request(headers, method: .options))
  try require(
    (answer != nil) == (isAllowed && headers[.accessControlRequestMethod] != nil),
    "a preflight or not")
  var response = answer ?? Response(status: .ok)
  crossOrigin.expose(&response, to: request(headers, method: .options))
  let allowed = response.headers[.accessControlAllowOrigin]
  try require(allowed?.bytes == (isAllowed ? origin.bytes : nil), "another origin is allowed")
}

private func checkGuard(_ headers: HeaderFields) throws {
  let host = (headers[.host] ?? "").bytes
  let origin = headers[.origin]?.bytes
  let isOwn =
    origin.map { origin in
      ["http://", "https://"].contains { origin.isSame(as: $0.bytes + host) }
    } ?? true
  do {
    _ = try FuzzedService.shared.withoutKeys.authenticate(request(headers))
    try require(headers[.host] == nil || isLoopback(host), "another host is let in")
    try require(isOwn, "a page of another origin is let in")
  } catch let error as APIError {
    try require(!isLoopback(host) || !isOwn, "is not let in")
    try require(try checkRefusal(error).status == .forbidden, "another refusal")
  }
}

/// A loopback host, perhaps with a port.
private func isLoopback(_ authority: [UInt8]) -> Bool {
  var name = authority
  if let colon = authority.lastIndex(of: UInt8(ascii: ":")),
    authority[colon...].dropFirst().allSatisfy({ (0x30...0x39).contains($0) }),
    authority[..<colon].last == UInt8(ascii: "]") || !authority[..<colon].contains(authority[colon])
  {
    name = Array(authority[..<colon])
  }
  let numbers = name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    .map { part in
      part.isEmpty || !part.allSatisfy { (0x30...0x39).contains($0) }
        ? nil : Int(String(decoding: part, as: UTF8.self))
    }
  return name.isSame(as: "localhost") || name == "[::1]".bytes
    || (numbers.count == 4 && name.starts(with: "127.".utf8)
      && numbers.allSatisfy { $0.map { $0 <= 255 } ?? false })
}

private func checkAuthorization(_ headers: HeaderFields) throws {
  let service = FuzzedService.shared
  let words = (headers[.authorization] ?? "").bytes
    .split(separator: UInt8(ascii: " "), maxSplits: 1, omittingEmptySubsequences: false)
  let token = words.count == 2 ? words[1].drop { $0 == UInt8(ascii: " ") } : []
  let isBearer = words.first?.isSame(as: "bearer") == true && !token.isEmpty
  let isKey = isBearer && token.elementsEqual(service.key.utf8)
  let project = headers[.openAIProject]?.bytes ?? FuzzedService.project.bytes
  do {
    let access = try service.withKey.authenticate(request(headers))
    try require(isKey && project == FuzzedService.project.bytes, "was let in")
    try require(access.projectName == FuzzedService.project, "into another project")
  } catch let error as APIError {
    let answer = try checkRefusal(error)
    try require(answer.status == .unauthorized, "answered with \(answer.status)")
    try require(
      answer.code == (isKey ? "invalid_project" : isBearer ? "invalid_api_key" : nil),
      "another code")
    let shown = "Incorrect API key provided: ".utf8.count + 13 + 1
    try require(
      isKey || !isBearer || answer.message.unicodeScalars.count <= shown, "a secret is shown")
  }
}

/// The whole way through the service, the log included.
private func checkAnswer(_ headers: HeaderFields) throws {
  let service = FuzzedService.shared
  let answer = try require(service.answer(request(headers)), "no answer at once")
  try require([401, 404].contains(answer.status.code), "answered with \(answer.status)")
  _ = try JSON(parsing: answer.body)
  for field in answer.headers {
    try require(field.value.utf8.allSatisfy { (0x20...0x7e).contains($0) }, "an unsafe answer")
  }
  for text in service.takeLogged() {
    try require(text.utf8.allSatisfy { (0x20...0x7e).contains($0) }, "unsafe in a log: \(text)")
    try require(!text.contains(service.key), "the log has the key")
  }
}

extension Collection<UInt8> {
  /// Whether both are the same but for the case of ASCII letters.
  fileprivate func isSame(as other: some StringProtocol) -> Bool {
    isSame(as: Array(other.utf8))
  }

  fileprivate func isSame(as other: [UInt8]) -> Bool {
    func lower(_ byte: UInt8) -> UInt8 { (0x41...0x5a).contains(byte) ? byte | 0x20 : byte }
    return elementsEqual(other) { lower($0) == lower($1) }
  }
}

extension API {
  fileprivate func authenticate(_ request: Request) throws -> Access {
    guard case .ready(let finding) = try repository.look(lookUp(for: request, about: .nothing))
    else { preconditionFailure("SQLite answers at once") }
    return try authenticate(request, finding)
  }
}
