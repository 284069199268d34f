import Conversations
import Foundation
import Repository
import Testing

/// Every row of the contract, in-process and over a socket, by the same code.
@Suite struct ContractTests {
  @Test(arguments: APICase.all, Service.Transport.allCases)
  func `a request is answered as the contract says`(
    row: APICase, transport: Service.Transport
  ) async throws {
    let service = try Service(transport)
    let metadata = try Metadata([Metadata.Pair(key: "topic", value: "test")])
    let existing = try await service.repository.createConversation(
      metadata: metadata, in: .default)
    let unknown = "conv_" + String(repeating: "0", count: 48)
    func filled(_ text: String) -> String {
      text.replacing("{id}", with: existing.id.description).replacing("{unknown}", with: unknown)
    }

    let answer = try await service.send(
      row.method, filled(row.target), headers: row.headers, body: row.body)

    #expect(answer.headers["x-request-id"]?.wholeMatch(of: /req_[0-9a-f]{32}/) != nil)
    #expect(answer.headers["openai-version"] == "2020-10-01")
    #expect(answer.headers["openai-processing-ms"].flatMap { Int($0) } != nil)
    #expect(answer.headers["content-type"] == "application/json")
    switch row.expected {
    case .ok(let body):
      #expect(answer.status == 200)
      #expect(answer.body == expand(filled(body), from: answer.body, existing))
    case .error(let status, let message, let param, let code, let headers):
      #expect(answer.status == status)
      if row.method != "HEAD" {
        try expectError(answer, message: filled(message), param: param, code: code)
      }
      for (name, value) in headers { #expect(answer.headers[name] == value) }
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
      #expect(try service.repository.conversation(existing.id, in: .default) == existing)
    }
    await service.stop()
  }

  private func expectError(
    _ answer: Service.Answer, message: String, param: String?, code: String?
  ) throws {
    let error = try APIErrorBody(answer.body)
    #expect(error.message == message)
    #expect(error.param == param)
    #expect(error.code == code)
    #expect(error.type == (answer.status >= 500 ? "server_error" : "invalid_request_error"))
    #expect(answer.body.hasPrefix(#"{"error":{"message":""#))
  }

  /// Puts the new conversation's id and time where the row leaves them open.
  private func expand(_ expected: String, from body: String, _ existing: Conversation) -> String {
    let new = body.firstMatch(of: /conv_[0-9a-f]{48}/).map { String($0.output) } ?? ""
    let createdAt = ConversationID(new)?.createdAt ?? -1
    return expected.replacing("{new}", with: new)
      .replacing("{created_at}", with: "\(createdAt)")
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
