import Conversations
import Foundation
import Repository
import SQLiteStore
import TestSupport
import Testing

/// Every row of the contract, in-process and over a socket, and on each engine, by the same code.
@Suite struct ContractTests {
  enum Way: CaseIterable, Sendable {
    case inProcess, socket, onPostgreSQL

    /// One that holds no conversation.
    fileprivate func service() throws -> Service {
      switch self {
      case .inProcess: return try Service(.inProcess, settings: .init(synchronous: .normal))
      case .socket: return try Service(.socket, settings: .init(synchronous: .normal))
      case .onPostgreSQL:
        let service = try Self.shared.get()
        try service.database!.removeConversations()
        return service
      }
    }

    /// For all rows, since PostgreSQL takes a tenth of a second to make a database.
    private static let shared = Result { try Service(.inProcess, on: .postgresql) }
  }

  @Test(arguments: APICase.all, Way.allCases)
  func `a request is answered as the contract says`(row: APICase, way: Way) async throws {
    let service = try way.service()
    let existing = try await service.repository.createConversation(
      metadata: metadata(row.stored), items: APICase.storedItems, in: .default)
    let path = "/v1/conversations/\(existing.id)"
    let filling = Filling(existing, json: try await service.send("GET", path).body)

    let answer = try await service.send(
      row.method, filling.fill(row.target),
      headers: row.headers.map { ($0.name, filling.fill($0.value)) }, body: row.body,
      hasContent: row.hasContent)

    expectCommonHeaders(answer)
    switch row.expected {
    case .ok(let body, let headers):
      #expect(answer.status == 200)
      let expected = expand(filling.fill(body), from: answer.body)
      #expect(answer.body.hasSameBytes(as: expected))
      expect(headers, in: answer, filling)
      let isConversation = body.hasPrefix(#"{"id":"{new}","object":"conversation","#)
      if isConversation {
        #expect(answer.headers["etag"]?.wholeMatch(of: /"[0-9a-f]{32}"/) != nil)
      } else if row.method != "HEAD" {
        #expect(answer.headers["etag"] == nil)
      }
    case .notModified:
      #expect(answer.status == 304)
      #expect(answer.body == "")
      #expect(answer.headers["etag"] == filling.fill("{etag}"))
      // RFC 9110, section 8.6: if there is a length, it is that of the content that is left out.
      let length = answer.headers["content-length"]
      #expect(length == nil || length == "\(filling.fill("{existing}").utf8.count)")
    case .error(let status, let message, let param, let code, let headers):
      #expect(answer.status == status)
      if row.method != "HEAD" {
        try expectError(answer, message: filling.fill(message), param: param, code: code)
      }
      expect(headers, in: answer, filling)
      #expect(answer.headers["etag"] == nil)
    case .hinted(let status, let prefix, let suffix, let code):
      #expect(answer.status == status)
      let error = try APIErrorBody(answer.body)
      #expect(error.message.hasPrefix(prefix))
      #expect(error.message.hasSuffix(suffix))
      #expect(error.message.count > prefix.count + suffix.count)
      #expect(error.code == code)
    }
    if answer.status != 200 {
      // Nothing is lost: a refused request leaves the stored set as it was.
      let lookUp = LookUp(key: nil, subject: .conversation(existing.id))
      let value = try await service.repository.look(lookUp).result.get().value.get()
      guard case .conversation(let stored) = value else {
        Issue.record("\(value)")
        return
      }
      #expect(stored == existing)
    }
    if way != .onPostgreSQL { await service.stop() }
  }

  private func expectError(
    _ answer: Service.Answer, message: String, param: String?, code: String?
  ) throws {
    let error = try APIErrorBody(answer.body)
    #expect(error.message.hasSameBytes(as: message))
    #expect(error.param == param)
    #expect(error.code == code)
    #expect(error.type == (answer.status >= 500 ? "server_error" : "invalid_request_error"))
    #expect(answer.body.hasPrefix(#"{"error":{"message":""#))
  }

  private func expectCommonHeaders(_ answer: Service.Answer) {
    #expect(answer.headers["x-request-id"]?.wholeMatch(of: /req_[0-9a-f]{32}/) != nil)
    #expect(answer.headers["openai-version"] == "2020-10-01")
    #expect(answer.headers["openai-processing-ms"].flatMap { Int($0) } != nil)
    #expect(answer.headers["content-type"] == "application/json")
    #expect(answer.headers["idempotent-replayed"] == nil)
  }

  private func expect(
    _ headers: [String: String], in answer: Service.Answer, _ filling: Filling
  ) {
    for (name, value) in headers { #expect(answer.headers[name] == filling.fill(value)) }
  }

  /// Puts the new conversation's id and time where the row leaves them open.
  private func expand(_ expected: String, from body: String) -> String {
    let new = body.firstMatch(of: /conv_[0-9a-f]{48}/).map { String($0.output) } ?? ""
    let createdAt = ConversationID(new)?.createdAt ?? -1
    return expected.replacing("{new}", with: new)
      .replacing("{created_at}", with: "\(createdAt)")
  }
}

/// What a row's words in braces stand for in one test.
private struct Filling {
  private let words: [(word: String, text: String)]

  init(_ existing: Conversation, json: String) {
    let hash = existing.contentHash.description
    let place = ConversationCursor.activity(
      existing.id, microseconds: existing.id.createdAtMicroseconds)
    words = [
      ("{id}", existing.id.description), ("{seconds}", "\(existing.createdAt)"),
      ("{hash}", hash), ("{etag}", "\"\(hash)\""), ("{existing}", json),
      ("{existing-}", String(json.dropLast())), ("{place}", place.description),
      ("{unknown}", "conv_" + String(repeating: "0", count: 48)),
    ]
  }

  func fill(_ text: String) -> String {
    guard text.contains("{") else { return text }
    return words.reduce(text) { $0.replacing($1.word, with: $1.text) }
  }
}

/// The one error envelope, read strictly: the four members and nothing else.
struct APIErrorBody {
  let message: String
  let type: String
  let param: String?
  let code: String?

  init(_ body: String) throws {
    let root = try #require(
      try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: [String: Any]])
    let error = try #require(root["error"])
    #expect(root.count == 1)
    #expect(Set(error.keys) == ["message", "type", "param", "code"])
    message = try #require(error["message"] as? String)
    type = try #require(error["type"] as? String)
    param = error["param"] as? String
    code = error["code"] as? String
  }
}
