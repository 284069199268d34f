import Glibc
import HTTP
import TestSupport
import Testing

/// Clients that take their time to send a request: those that take too long are cut off, and nobody
/// else is.
@Suite(.timeLimit(.minutes(1))) struct SlowRequestTests {
  /// What is sent at once, and what then follows again and again, so that only the first client is
  /// ever silent.
  private static let endless = [
    (start: "", piece: ""),
    (start: "", piece: "\r\n"),
    (start: "GET /", piece: "a"),
    (start: "GET / HTTP/1.1\r\nX", piece: "a"),
    (start: "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", piece: "a"),
    (start: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", piece: "a"),
    (
      start: "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n",
      piece: "a"
    ),
    (
      start: "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
      piece: "1\r\na\r\n"
    ),
  ]

  @Test func `a request that takes too long to arrive is cut off`() async throws {
    let record = Record()
    let configuration = Server.Configuration(idleTimeoutSeconds: 3600, requestTimeoutSeconds: 1)
    try await withCountedServer(configuration, handler: record.echo) { port, counts in
      let clients = try Self.endless.map { try SlowClient($0.start, $0.piece, port: port) }
      #expect(eventually(all: clients) { counts.values.cutOff == clients.count })
      for client in clients { #expect(try client.connection.receiveAll() == "") }
      #expect(try RawConnection(port: port).get("/other").status == 200)
    }
    #expect(record.paths == ["/other"])
  }

  /// Before its first line has arrived, nobody knows that a request has begun.
  @Test func `on a connection that was used the time of silence comes on top`() async throws {
    let record = Record()
    let configuration = Server.Configuration(idleTimeoutSeconds: 2, requestTimeoutSeconds: 1)
    try await withCountedServer(configuration, handler: record.echo) { port, counts in
      let client = try SlowClient(used: "GET /", "a", port: port)
      let start = ContinuousClock.now
      #expect(eventually(all: [client]) { counts.values.cutOff == 1 })
      #expect(ContinuousClock.now - start > .seconds(2))
      #expect(try client.connection.receiveAll() == "")
    }
    #expect(record.paths == ["/used"])
  }

  @Test func `from its first line on a request has its own time alone`() async throws {
    let record = Record()
    let configuration = Server.Configuration(idleTimeoutSeconds: 3600, requestTimeoutSeconds: 1)
    try await withCountedServer(configuration, handler: record.echo) { port, counts in
      // Those that begin with a whole line.
      let clients = try Self.endless.filter { $0.start.contains("\r\n") }.map {
        try SlowClient(used: $0.start, $0.piece, port: port)
      }
      #expect(clients.count == 5)
      #expect(eventually(all: clients) { counts.values.cutOff == clients.count })
      for client in clients { #expect(try client.connection.receiveAll() == "") }
    }
    #expect(Set(record.paths) == ["/used"])
  }

  @Test func `a connection that was used may then be silent for its time`() async throws {
    let configuration = Server.Configuration(idleTimeoutSeconds: 30, requestTimeoutSeconds: 1)
    try await withCountedServer(configuration) { port, counts in
      let used = try RawConnection(port: port)
      #expect(try used.get("/").status == 200)
      try passRequestTimeout(port: port)
      #expect(eventually { counts.values.cutOff == 1 })
      #expect(try used.get("/").status == 200)
    }
  }

  @Test func `the time that a handler takes is not the client's`() async throws {
    let gate = Gate()
    let configuration = Server.Configuration(idleTimeoutSeconds: 30, requestTimeoutSeconds: 1)
    try await withCountedServer(configuration) { request in
      await gate.wait()
      return await echo(request)
    } client: { port, counts in
      defer { gate.open() }
      let first = try RawConnection(port: port)
      first.send("GET /first HTTP/1.1\r\nHost: x\r\n\r\n")
      let second = try RawConnection(port: port)
      // The next request waits in line meanwhile.
      let post = "POST /second HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na"
      second.send(post + "GET /third HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(eventually { gate.waitingCount == 2 })
      try passRequestTimeout(port: port)
      #expect(eventually { counts.values.cutOff == 1 })
      gate.open()
      #expect(try first.receive().text == "GET /first ")
      #expect(try second.receive().text == "POST /second a")
      #expect(try second.receive().text == "GET /third ")
    }
  }

  /// It takes longer than the connection may be silent.
  @Test func `a request that comes slowly but in time is answered`() async throws {
    let configuration = Server.Configuration(idleTimeoutSeconds: 2, requestTimeoutSeconds: 50)
    try await withCountedServer(configuration) { port, counts in
      let connection = try RawConnection(port: port)
      let start = ContinuousClock.now
      for byte in "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello".utf8 {
        connection.send([byte])
        pauseBetweenPieces()
      }
      #expect(ContinuousClock.now - start > .seconds(2))
      #expect(try connection.receive().text == "POST /slow hello")
      #expect(counts.values.cutOff == 0)
    }
  }

  @Test func `a connection that is silent for too long is closed`() async throws {
    let configuration = Server.Configuration(idleTimeoutSeconds: 1, requestTimeoutSeconds: 3600)
    try await withCountedServer(configuration) { port, counts in
      let used = try RawConnection(port: port)
      #expect(try used.get("/").status == 200)
      let silent = try RawConnection(port: port)
      let halfway = try RawConnection(port: port)
      halfway.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe")
      for connection in [used, silent, halfway] { #expect(try connection.receiveAll() == "") }
      #expect(counts.values.cutOff == 0)
    }
  }
}

/// A client that never finishes its request.
private struct SlowClient {
  let connection: RawConnection
  let piece: String

  init(_ start: String, _ piece: String, port: Int) throws {
    connection = try RawConnection(port: port)
    connection.send(start)
    self.piece = piece
  }

  /// With a request before it that is answered.
  init(used start: String, _ piece: String, port: Int) throws {
    try self.init("", piece, port: port)
    #expect(try connection.get("/used").status == 200)
    connection.send(start)
  }
}

/// As `eventually`, while each client goes on to send.
private func eventually(all clients: [SlowClient], _ condition: () -> Bool) -> Bool {
  eventually {
    for client in clients { client.connection.send(client.piece) }
    pauseBetweenPieces()
    return condition()
  }
}

/// Between two pieces of a slow client: short beside a second, so that it is never silent.
func pauseBetweenPieces() {
  usleep(50_000)
}

/// Returns when a connection that begins now has been cut off.
private func passRequestTimeout(port: Int) throws {
  #expect(try RawConnection(port: port).receiveAll() == "")
}
