import Foundation
import HTTP
import HTTPTypes
import Synchronization
import TestSupport
import Testing

/// Large contents: who looks at them, and whether they are read at all.
@Suite(.timeLimit(.minutes(1))) struct LargeContentTests {
  private static let promptBytes = 64 << 10
  private static let freeBytes = 16 << 10

  @Test(arguments: [(promptBytes, true), (promptBytes + 1, false), (1 << 20, false)])
  func `a handler looks at large content elsewhere than on an event loop`(
    count: Int, isOnEventLoop: Bool
  ) async throws {
    let threads = Mutex<[String]>([])
    try await withServer { request in
      let name = try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)
      threads.withLock { $0.append(name ?? "") }
      return .text("\(request.bytes?.count ?? -1)")
    } client: { port in
      let connection = try RawConnection(port: port)
      for _ in 1...3 {
        connection.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \(count)\r\n\r\n")
        connection.send([UInt8](repeating: 0x61, count: count))
        #expect(try connection.receive().text == "\(count)")
      }
    }
    #expect(
      threads.withLock { $0.map { $0.hasPrefix("http-") } }
        == [Bool](repeating: isOnEventLoop, count: 3))
  }

  @Test func `other requests are answered while a handler is busy with large content`() async throws
  {
    let end = DispatchSemaphore(value: 0)
    let isBusy = Atomic(false)
    try await withServer(configuration: .init(eventLoops: 1)) { request in
      if request.target.path == "/large" {
        isBusy.store(true, ordering: .relaxed)
        block(until: end)
      }
      return await echo(request)
    } client: { port in
      defer { end.signal() }
      let large = try RawConnection(port: port)
      large.send("POST /large HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
      large.send([UInt8](repeating: 0x61, count: 100_000))
      #expect(eventually { isBusy.load(ordering: .relaxed) })
      let other = try RawConnection(port: port)
      for _ in 1...10 { #expect(try other.get("/other").status == 200) }
      end.signal()
      #expect(try large.receive().status == 200)
    }
  }

  @Test(
    arguments: [
      ("Content-Length: \(freeBytes + 1)", true), ("Transfer-Encoding: chunked", true),
      ("Content-Length: \(freeBytes)", false), ("X-Other: 1", false),
    ], [true, false])
  func `the gate is asked about content that is or may be large`(
    case: (field: String, isAsked: Bool), suspends: Bool
  ) async throws {
    let (field, isAsked) = `case`
    let asked = Record()
    try await withGatedServer { request in
      asked.append(request)
      return decision(.text("refused", status: .forbidden), suspends: suspends)
    } client: { port in
      let connection = try RawConnection(port: port)
      connection.send("POST /p HTTP/1.1\r\nHost: x\r\n\(field)\r\n\r\n")
      guard isAsked else {
        connection.send([UInt8](repeating: 0x61, count: Self.freeBytes))
        #expect(try connection.receive().status == 200)
        return
      }
      // Before any content is sent.
      let answer = try connection.receive()
      #expect(answer.text == "refused")
      #expect(answer.headers["connection"]?.lowercased() == "close")
      #expect(try connection.receiveAll() == "")
    }
    #expect(asked.paths == (isAsked ? ["/p"] : []))
  }

  @Test(arguments: ["Content-Length: 20000", "Transfer-Encoding: chunked"], [true, false])
  func `what the gate lets in is read whole`(field: String, suspends: Bool) async throws {
    let content = String(repeating: "a", count: 20_000)
    let body = field.hasPrefix("C") ? content : "4e20\r\n\(content)\r\n0\r\n\r\n"
    try await withGatedServer { _ in
      decision(nil, suspends: suspends)
    } client: { port in
      let connection = try RawConnection(port: port)
      for _ in 1...2 {
        connection.send("POST /p HTTP/1.1\r\nHost: x\r\n\(field)\r\n\r\n\(body)")
        #expect(try connection.receive().text == "POST /p \(content)")
      }
      connection.send("POST /p HTTP/1.1\r\nHost: x\r\n\(field)\r\nExpect: 100-continue\r\n\r\n")
      #expect(try connection.receive().status == 100)
      connection.send(body)
      #expect(try connection.receive().text == "POST /p \(content)")
    }
  }

  @Test(arguments: [true, false])
  func `chunks without content are let in`(suspends: Bool) async throws {
    try await withGatedServer { _ in
      decision(nil, suspends: suspends)
    } client: { port in
      let connection = try RawConnection(port: port)
      for _ in 1...2 {
        connection.send("POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.send("0\r\n\r\n")
        #expect(try connection.receive().text == "POST /p ")
      }
    }
  }

  @Test(arguments: [true, false])
  func `a client that sends 3 MB without waiting reads the gate's answer`(
    suspends: Bool
  ) async throws {
    try await withGatedServer { _ in
      decision(.text("refused", status: .forbidden), suspends: suspends)
    } client: { port in
      for _ in 1...10 {
        let connection = try RawConnection(port: port)
        connection.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n")
        #expect(connection.send([UInt8](repeating: 0x61, count: 3_000_000)))
        #expect(try connection.receive().status == 403)
      }
    }
  }
}

/// What a gate decides, at once or a moment later on another thread.
private func decision(_ refusal: Response?, suspends: Bool) -> Eventual<Response?> {
  guard suspends else { return .ready(refusal) }
  return .later {
    await withCheckedContinuation { continuation in
      DispatchQueue.global().async { continuation.resume() }
    }
    return refusal
  }
}

/// Starts a server with a gate, whose handler echoes.
private func withGatedServer(
  gate: @escaping Server.Gate, client: @escaping @Sendable (_ port: Int) throws -> Void
) async throws {
  let socket = try ListeningSocket(host: "127.0.0.1", port: 0)
  let port = socket.port
  let server = try Server(on: socket, configuration: .init(), gate: gate, handler: later(echo))
  try await use(server) { try client(port) }
}

/// Waits as a long computation would: without suspending.
private func block(until semaphore: DispatchSemaphore) {
  semaphore.wait()
}
