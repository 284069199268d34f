import API
import Conversations
import Foundation
import HTTP
import HTTPTypes
import Logging
import Repository
import SQLite
import SQLiteStore
import TestSupport
import Testing

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

  static let bodyBytesMax = 1 << 20

  let repository: any Store
  let api: API
  /// Of a service that is not on SQLite.
  let database: TestDatabase?
  private let folder: TemporaryFolder
  private let server: Server?
  let port: Int

  init(
    _ transport: Transport, on engine: Engine = .sqlite,
    log: any LogHandler = SwiftLogNoOpLogHandler(),
    settings: SQLiteStore.Settings = SQLiteStore.Settings(),
    now: @escaping @Sendable () -> Int64 = UnixTime.seconds,
    apiSettings: API.Settings = API.Settings(), folder: TemporaryFolder = TemporaryFolder()
  ) throws {
    self.folder = folder
    switch engine {
    case .sqlite:
      database = nil
      repository = try Self.openFile(in: folder, settings: settings, now: now)
    case .postgresql:
      let database = TestDatabase(.postgresql)
      self.database = database
      repository = try database.open(settings: settings.shared, now: now)
    }
    let api = API(
      repository: repository, logger: Logger(label: "test") { _ in log },
      settings: apiSettings)
    self.api = api
    guard transport == .socket else {
      server = nil
      port = 0
      return
    }
    let socket = try ListeningSocket(host: "127.0.0.1", port: 0)
    port = Int(socket.authority.split(separator: ":")[1])!
    let configuration = Server.Configuration(bodyBytesMax: Self.bodyBytesMax)
    server = try Server(on: socket, configuration: configuration) { api.respond(to: $0) }
  }

  private static func openFile(
    in folder: TemporaryFolder, settings: SQLiteStore.Settings,
    now: @escaping @Sendable () -> Int64
  ) throws -> SQLiteStore {
    let file = URL(filePath: folder.file("conversations.db"))
    if !FileManager.default.fileExists(atPath: file.path) { try emptyDatabase.write(to: file) }
    return try SQLiteStore(path: file.path, settings: settings, clock: { now() * 1_000_000 })
  }

  /// Migrated once: each migration waits for the disk, and there are more than a thousand tests.
  private static let emptyDatabase: Data = {
    let folder = TemporaryFolder()
    _ = try! SQLiteStore.migrate(path: folder.file("empty.db"))
    return try! Data(contentsOf: URL(filePath: folder.file("empty.db")))
  }()

  var databasePath: String { folder.file("conversations.db") }

  func stop() async {
    if let server { #expect(await server.stop(within: .seconds(5))) }
    await repository.close()
  }

  func send(
    _ method: String, _ target: String, headers: [(name: String, value: String)] = [],
    body: [UInt8] = [], hasContent: Bool = true
  ) async throws -> Answer {
    if server == nil { return await respond(method, target, headers: headers, body: body) }
    let port = port
    return try await onOwnThread {
      try Self.exchange(
        port, method, target, headers: headers, body: body, hasContent: hasContent)
    }
  }

  private func respond(
    _ method: String, _ target: String, headers: [(name: String, value: String)], body: [UInt8]
  ) async -> Answer {
    var fields = HeaderFields()
    for header in headers {
      fields.append(HTTPField(name: HTTPField.Name(header.name)!, value: header.value))
    }
    let response = await api.respond(
      to: Request(
        method: HTTPRequest.Method(rawValue: method)!, target: RequestTarget(target),
        headers: fields,
        body: body.count > Self.bodyBytesMax
          ? .tooLarge(bytesMax: Self.bodyBytesMax) : .bytes(body))
    ).value
    let answered = response.headers.map { ($0.name.canonicalName, $0.value) }
    return Answer(
      status: response.status.code,
      headers: Dictionary(answered, uniquingKeysWith: { "\($0), \($1)" }),
      // As the server does.
      body: method == "HEAD" || response.status == .notModified
        ? "" : String(decoding: response.body, as: UTF8.self))
  }

  private static func exchange(
    _ port: Int, _ method: String, _ target: String, headers: [(name: String, value: String)],
    body: [UInt8], hasContent: Bool
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
    let answer = try connection.receive(hasBody: hasContent)
    return Answer(status: answer.status, headers: answer.headers, body: answer.text)
  }
}

extension Service {
  /// Sends a JSON body.
  func send(
    _ method: String, _ target: String, headers: [(name: String, value: String)] = [],
    json: String
  ) async throws -> Answer {
    try await send(method, target, headers: headers, body: Array(json.utf8))
  }

  /// Makes a conversation and expects that it succeeds.
  func create(_ json: String = "{}") async throws -> Answer {
    let answer = try await send("POST", "/v1/conversations", json: json)
    #expect(answer.status == 200)
    return answer
  }

  /// A connection beside the service, as the sqlite3 CLI has one.
  func outsider() throws -> Connection {
    try Connection(path: databasePath, mode: .readWrite, busyTimeoutMilliseconds: 5000)
  }
}

extension Service.Answer {
  /// The first conversation id in the body.
  var id: String {
    body.firstMatch(of: /conv_[0-9a-f]{48}/).map { String($0.output) } ?? "none"
  }

  var path: String { "/v1/conversations/\(id)" }

  var eTag: String { headers["etag"] ?? "none" }

  var errorCode: String? { try? APIErrorBody(body).code }
}

/// Valid pairs as a set.
func metadata(_ pairs: KeyValuePairs<String, String>) throws -> Metadata {
  try Metadata(pairs.map { try Metadata.Pair(key: $0.key, value: $0.value) })
}
