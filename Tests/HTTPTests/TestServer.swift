import Foundation
import HTTP
import HTTPTypes
import Synchronization
import TestSupport
import Testing

/// A handler whose answers all have to be waited for.
typealias WaitingHandler = @Sendable (Request) async -> Response

func later(_ handler: @escaping WaitingHandler) -> Server.Handler {
  { request in .later { await handler(request) } }
}

/// Starts a server on a free port of 127.0.0.1, runs a blocking client against it, and stops it.
///
/// A server that does not get idle makes `stop` wait for longer than a test may take.
func withServer(
  configuration: Server.Configuration = Server.Configuration(),
  handler: @escaping WaitingHandler = { await echo($0) },
  client: @escaping @Sendable (_ port: Int) throws -> Void
) async throws {
  let socket = try ListeningSocket(host: "127.0.0.1", port: 0)
  let port = socket.port
  let server = try Server(on: socket, configuration: configuration, handler: later(handler))
  try await use(server) { try client(port) }
}

/// Runs a blocking client against a server, and stops it.
func use(_ server: Server, by client: @escaping @Sendable () throws -> Void) async throws {
  var failure: (any Error)?
  do {
    try await onOwnThread { try client() }
  } catch {
    failure = error
  }
  #expect(await server.stop(within: .seconds(90)))
  if let failure { throw failure }
}

extension ListeningSocket {
  /// The port it is bound to.
  var port: Int { Int(authority.split(separator: ":").last!)! }
}

/// Answers with what arrived: the path, the query and the content; or 413 and 400 for content that
/// the server did not take.
func echo(_ request: Request) async -> Response {
  switch request.body {
  case .bytes(let bytes):
    let target = request.target.path + (request.target.query.map { "?\($0)" } ?? "")
    let content = String(decoding: bytes, as: UTF8.self)
    return .text("\(request.method.rawValue) \(target) \(content)")
  case .tooLarge(let bytesMax):
    return .text("at most \(bytesMax)", status: .contentTooLarge)
  case .headersTooLarge(let bytesMax):
    return .text("at most \(bytesMax)", status: .requestHeaderFieldsTooLarge)
  case .ambiguous:
    return .text("ambiguous", status: .badRequest)
  case .withoutRoom:
    return .text("no room", status: .serviceUnavailable)
  }
}

extension Response {
  /// An answer of text.
  static func text(_ text: String, status: HTTPResponse.Status = .ok) -> Response {
    Response(status: status, headers: [.contentType: "text/plain"], body: Array(text.utf8))
  }
}

extension Request {
  /// The content, unless the server did not take it.
  var bytes: [UInt8]? {
    if case .bytes(let bytes) = body { bytes } else { nil }
  }

  /// Whether the server took it for two requests in one.
  var isAmbiguous: Bool {
    if case .ambiguous = body { true } else { false }
  }
}

/// The requests that a handler was called for.
final class Record: Sendable {
  private let stored = Mutex<[Request]>([])

  var requests: [Request] { stored.withLock { $0 } }
  var paths: [String] { requests.map(\.target.path) }

  func append(_ request: Request) {
    stored.withLock { $0.append(request) }
  }

  /// A handler that records each request and echoes it.
  @Sendable func echo(_ request: Request) async -> Response {
    append(request)
    return await HTTPTests.echo(request)
  }
}

/// Where handlers wait until a test lets them go on.
final class Gate: Sendable {
  private let state = Mutex(State())

  private struct State {
    var isOpen = false
    var waiting: [CheckedContinuation<Void, Never>] = []
  }

  /// How many handlers wait at it.
  var waitingCount: Int { state.withLock { $0.waiting.count } }

  /// Suspends until the gate is open.
  func wait() async {
    await withCheckedContinuation { continuation in
      let isOpen = state.withLock { state in
        if !state.isOpen { state.waiting.append(continuation) }
        return state.isOpen
      }
      if isOpen { continuation.resume() }
    }
  }

  /// Lets all go on, those that come later too.
  func open() {
    let waiting = state.withLock { state in
      defer { state.waiting = [] }
      state.isOpen = true
      return state.waiting
    }
    for continuation in waiting { continuation.resume() }
  }
}

extension RawConnection {
  /// Sends a request without content, and receives its answer.
  func get(_ target: String) throws -> Answer {
    send("GET \(target) HTTP/1.1\r\nHost: x\r\n\r\n")
    return try receive()
  }
}
