import Foundation
import HTTP
import HTTPTypes
import Synchronization
import TestSupport
import Testing

/// How a server stops.
@Suite(.timeLimit(.minutes(1))) struct StopTests {
  @Test func `suspended requests are finished, and new connections refused`() async throws {
    let gate = Gate()
    let server = try StoppableServer { request in
      await gate.wait()
      return await echo(request)
    }
    try await onOwnThread {
      defer { gate.open() }
      let connections = try (0..<20).map { number in
        let connection = try RawConnection(port: server.port)
        connection.send("GET /\(number) HTTP/1.1\r\nHost: x\r\n\r\n")
        return connection
      }
      #expect(eventually { gate.waitingCount == 20 })
      server.beginStop(within: .seconds(90))
      #expect(eventually { server.refusesConnections })
      #expect(server.isStopped == nil)
      gate.open()
      for (number, connection) in connections.enumerated() {
        let answer = try connection.receive()
        #expect(answer.text == "GET /\(number) ")
        #expect(answer.headers["connection"]?.lowercased() == "close")
        #expect(try connection.receiveAll() == "")
      }
      #expect(eventually { server.isStopped == true })
      #expect(server.refusesConnections)
    }
  }

  /// More servers than Swift concurrency has threads: were each `stop` to keep one busy, the
  /// handlers that it waits for could not go on.
  @Test func `requests are finished also when the tasks that stop are cancelled`() async {
    await #expect(processExitsWith: .success) {
      let gate = Gate()
      let servers = try (0..<2 * ProcessInfo.processInfo.activeProcessorCount).map { _ in
        try StoppableServer { request in
          await gate.wait()
          return await echo(request)
        }
      }
      try await onOwnThread {
        defer { gate.open() }
        let connections = try servers.map { server in
          let connection = try RawConnection(port: server.port)
          connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
          return connection
        }
        #expect(eventually { gate.waitingCount == servers.count })
        for server in servers { server.beginStop(within: .seconds(20)).cancel() }
        #expect(eventually { servers.contains { $0.refusesConnections } })
        gate.open()
        for connection in connections { #expect(try connection.receive().status == 200) }
        #expect(eventually { servers.allSatisfy { $0.isStopped == true } })
      }
    }
  }

  @Test func `content that is on its way is waited for`() async throws {
    let server = try StoppableServer()
    try await onOwnThread {
      let connection = try RawConnection(port: server.port)
      connection.send(
        "POST /late HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
      #expect(try connection.receive().status == 100)
      server.beginStop(within: .seconds(90))
      #expect(eventually { server.refusesConnections })
      connection.send("hello")
      let answer = try connection.receive()
      #expect(answer.text == "POST /late hello")
      #expect(answer.headers["connection"]?.lowercased() == "close")
      #expect(eventually { server.isStopped == true })
    }
  }

  @Test func `a keep-alive connection is served and closed while the server stops`() async throws {
    let gate = Gate()
    let server = try StoppableServer { request in
      if request.target.path == "/slow" { await gate.wait() }
      return await echo(request)
    }
    try await onOwnThread {
      defer { gate.open() }
      let used = try RawConnection(port: server.port)
      #expect(try used.get("/1").headers["connection"]?.lowercased() != "close")
      let slow = try RawConnection(port: server.port)
      slow.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(eventually { gate.waitingCount == 1 })
      server.beginStop(within: .seconds(90))
      #expect(eventually { server.refusesConnections })
      #expect(try used.get("/2").headers["connection"]?.lowercased() == "close")
      #expect(try used.receiveAll() == "")
      gate.open()
      #expect(try slow.receive().status == 200)
      #expect(eventually { server.isStopped == true })
    }
  }

  @Test func `idle connections are closed`() async throws {
    let server = try StoppableServer()
    try await onOwnThread {
      let used = try RawConnection(port: server.port)
      let halfway = try RawConnection(port: server.port)
      #expect(try used.get("/").status == 200)
      #expect(try halfway.get("/").status == 200)
      // Not a request yet: nothing that the server would wait for.
      halfway.send("GET /never")
      let silent = try RawConnection(port: server.port)
      server.beginStop(within: .seconds(90))
      for connection in [silent, used, halfway] { #expect(try connection.receiveAll() == "") }
      #expect(eventually { server.isStopped == true })
    }
  }

  @Test(arguments: [
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhell",
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhell\r\n",
    "POST / HTTP/1.1\r\nHost: x\r\nX-Never: finished",
  ])
  func `a client that never finishes is cut off after the timeout`(text: String) async throws {
    let record = Record()
    let server = try StoppableServer(handler: record.echo)
    try await onOwnThread {
      let used = try RawConnection(port: server.port)
      used.send("GET /used HTTP/1.1\r\nHost: x\r\n\r\n\(text)")
      #expect(try used.receive().status == 200)
      server.beginStop(within: .milliseconds(100))
      #expect(eventually { server.isStopped == true })
      #expect(try used.receiveAll() == "")
    }
    #expect(record.paths == ["/used"])
  }

  @Test func `a client that left does not hold it up`() async throws {
    let server = try StoppableServer()
    try await onOwnThread {
      do {
        let connection = try RawConnection(port: server.port)
        connection.send(
          "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        // libmicrohttpd sees an end that comes apart from the last bytes at once, and one that
        // comes along with them when the connection has been idle for too long.
        #expect(try connection.receive().status == 100)
      }
      server.beginStop(within: .seconds(90))
      #expect(eventually { server.isStopped == true })
    }
  }

  @Test(arguments: [
    "GET / HTTP/1.1\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30000000\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nX-Long: \(String(repeating: "a", count: 40_000))\r\n\r\n",
  ])
  func `a refused request does not hold it up`(text: String) async throws {
    let server = try StoppableServer()
    try await onOwnThread {
      let connection = try RawConnection(port: server.port)
      connection.send(text)
      #expect(try connection.receiveAll().hasPrefix("HTTP/1.1 4"))
      server.beginStop(within: .seconds(90))
      #expect(eventually { server.isStopped == true })
    }
  }

  @Test func `a handler that does not return in time is reported, and may finish later`() async {
    await #expect(processExitsWith: .success) {
      let gate = Gate()
      let server = try StoppableServer { request in
        await gate.wait()
        return await echo(request)
      }
      try await onOwnThread {
        defer { gate.open() }
        let connection = try RawConnection(port: server.port)
        let other = try RawConnection(port: server.port)
        connection.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(eventually { gate.waitingCount == 1 })
        server.beginStop(within: .milliseconds(50))
        #expect(eventually { server.isStopped == false })
        #expect(server.refusesConnections)
        // Too late: no handler starts any more.
        other.send("GET /late HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try other.receiveAll() == "")
        #expect(gate.waitingCount == 1)
        gate.open()
        let answer = try connection.receive()
        #expect(answer.text == "GET /slow ")
        #expect(answer.headers["connection"]?.lowercased() == "close")
      }
    }
  }

  @Test func `a server under load stops without losing an answer`() async throws {
    for _ in 1...10 {
      let server = try StoppableServer { request in
        await Task.yield()
        return await echo(request)
      }
      try await onOwnThread {
        let connections = try (0..<8).map { _ in try RawConnection(port: server.port) }
        for connection in connections { #expect(try connection.get("/").status == 200) }
        for connection in connections { connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n") }
        server.beginStop(within: .seconds(90))
        for connection in connections {
          // The whole answer, or a connection that was closed before the request was read.
          let text = (try? connection.receiveAll()) ?? ""
          #expect(text.isEmpty || (text.hasPrefix("HTTP/1.1 200 ") && text.hasSuffix("GET / ")))
        }
        #expect(eventually { server.isStopped == true })
      }
    }
  }
}

/// A server that a blocking client stops.
private final class StoppableServer: Sendable {
  let port: Int
  private let server: Server
  private let result = Mutex<Bool?>(nil)

  init(handler: @escaping WaitingHandler = { await echo($0) }) throws {
    let socket = try ListeningSocket(host: "127.0.0.1", port: 0)
    port = socket.port
    server = try Server(
      on: socket, configuration: Server.Configuration(bodyBytesMax: 1 << 20),
      handler: later(handler))
  }

  /// What `stop` returned; nil before that.
  var isStopped: Bool? { result.withLock { $0 } }

  var refusesConnections: Bool {
    do {
      _ = try RawConnection(port: port)
      return false
    } catch {
      return true
    }
  }

  @discardableResult
  func beginStop(within timeout: Duration) -> Task<Void, Never> {
    Task {
      let isStopped = await server.stop(within: timeout)
      result.withLock { $0 = isStopped }
    }
  }
}
