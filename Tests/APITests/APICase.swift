import API
import Conversations
import Foundation
import HTTP
import HTTPTypes
import Logging
import Repository
import TestSupport
import Testing

/// One row of the contract: a request and what is answered.
///
/// `{id}` in the target and in the expected message stands for a conversation that exists, with the
/// metadata `{"topic":"test"}`; `{unknown}` for an id that no conversation has.
struct APICase: Sendable, CustomTestStringConvertible {
  let name: String
  let method: String
  let target: String
  var headers: [(name: String, value: String)] = []
  var body: [UInt8] = []
  let expected: Expectation

  enum Expectation: Sendable {
    /// 200 and exactly this body; `{new}` stands for the id and `{created_at}` for its time.
    case ok(String)
    /// An error with exactly these four members.
    case error(
      Int, String, param: String? = nil, code: String? = nil, headers: [String: String] = [:])
    /// An error whose message begins and ends like this, with a hint between or after.
    case hinted(Int, prefix: String, suffix: String = "", code: String?)
  }

  var testDescription: String { name }

  init(
    _ name: String, _ method: String, _ target: String,
    headers: [(name: String, value: String)] = [], body: String = "", expect: Expectation
  ) {
    self.init(name, method, target, headers: headers, bytes: Array(body.utf8), expect: expect)
  }

  init(
    _ name: String, _ method: String, _ target: String,
    headers: [(name: String, value: String)] = [], bytes: [UInt8], expect: Expectation
  ) {
    self.name = name
    self.method = method
    self.target = target
    self.headers = headers
    self.body = bytes
    self.expected = expect
  }
}

/// The service of one test: a real file, and with it either the API itself or a server on a socket.
final class Service: Sendable {
  enum Transport: CaseIterable, Sendable {
    case inProcess, socket
  }

  struct Answer: Sendable {
    let status: Int
    let headers: [String: String]
    let body: String
  }

  static let bodyBytesMax = 16 * 1024

  let repository: Repository
  let api: API
  private let folder = TemporaryFolder()
  private let server: Server?
  private let port: Int

  init(
    _ transport: Transport, log: any LogHandler = SwiftLogNoOpLogHandler(),
    settings: Repository.Settings = Repository.Settings(), logsRequests: Bool = true
  ) throws {
    repository = try Repository(path: folder.file("conversations.db"), settings: settings)
    let api = API(
      repository: repository, logger: Logger(label: "test") { _ in log },
      logsRequests: logsRequests)
    self.api = api
    guard transport == .socket else {
      server = nil
      port = 0
      return
    }
    let socket = try ListeningSocket(host: "127.0.0.1", port: 0)
    port = Int(socket.authority.split(separator: ":")[1])!
    let configuration = Server.Configuration(bodyBytesMax: Self.bodyBytesMax)
    server = try Server(on: socket, configuration: configuration) { await api.respond(to: $0) }
  }

  var databasePath: String { folder.file("conversations.db") }

  func stop() async {
    if let server { #expect(await server.stop(within: .seconds(5))) }
    await repository.close()
  }

  func send(
    _ method: String, _ target: String, headers: [(name: String, value: String)] = [],
    body: [UInt8] = []
  ) async throws -> Answer {
    if server == nil { return await respond(method, target, headers: headers, body: body) }
    let port = port
    return try await onOwnThread {
      try Self.exchange(port, method, target, headers: headers, body: body)
    }
  }

  private func respond(
    _ method: String, _ target: String, headers: [(name: String, value: String)], body: [UInt8]
  ) async -> Answer {
    var fields = HTTPFields()
    for header in headers {
      fields.append(HTTPField(name: HTTPField.Name(header.name)!, value: header.value))
    }
    let response = await api.respond(
      to: Request(
        method: HTTPRequest.Method(rawValue: method)!, target: RequestTarget(target),
        headers: fields,
        body: body.count > Self.bodyBytesMax
          ? .tooLarge(bytesMax: Self.bodyBytesMax) : .bytes(body)))
    let answered = response.headers.map { ($0.name.canonicalName, $0.value) }
    return Answer(
      status: response.status.code,
      headers: Dictionary(answered, uniquingKeysWith: { "\($0), \($1)" }),
      body: method == "HEAD" ? "" : String(decoding: response.body, as: UTF8.self))
  }

  private static func exchange(
    _ port: Int, _ method: String, _ target: String, headers: [(name: String, value: String)],
    body: [UInt8]
  ) throws -> Answer {
    let connection = try RawConnection(port: port)
    var head = "\(method) \(target) HTTP/1.1\r\n"
    let hasHost = headers.contains { $0.name.lowercased() == "host" }
    for header in (hasHost ? [] : [("Host", "127.0.0.1:\(port)")]) + headers {
      head += "\(header.0): \(header.1)\r\n"
    }
    // As the Python SDK does: no length without a body.
    if !body.isEmpty { head += "Content-Length: \(body.count)\r\n" }
    connection.send(Array("\(head)\r\n".utf8) + body)
    let answer = try connection.receive(hasBody: method != "HEAD")
    return Answer(status: answer.status, headers: answer.headers, body: answer.text)
  }
}
