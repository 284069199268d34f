import HTTP
import TestSupport
import Testing

/// Clients that ask for much and take their time to read it: those that take too long are cut off,
/// and while much waits for them nobody else gets more.
@Suite(.timeLimit(.minutes(1))) struct SlowAnswerTests {
  /// More than the system keeps for the two ends of a connection (tcp(7), `tcp_wmem`).
  private static let large = String(repeating: "a", count: 16 << 20)

  /// How much a client takes, again and again.
  @Test(arguments: [0, 1, 500])
  func `an answer that takes too long to be taken is cut off`(bytesMax: Int) async throws {
    let configuration = Server.Configuration(idleTimeoutSeconds: 3600, requestTimeoutSeconds: 1)
    try await withCountedServer(configuration, handler: Self.answer) { port, counts in
      let clients = try (1...3).map { _ in try Self.ask(port: port) }
      #expect(
        eventually(each: clients, takes: bytesMax) { counts.values.cutOff == clients.count })
      // The sockets are closed, and the end of the answer is never sent.
      #expect(eventually { counts.values.open == 0 })
      for client in clients { #expect(try client.receiveAll().utf8.count < Self.large.utf8.count) }
      #expect(try RawConnection(port: port).get("/other").text == "GET /other ")
    }
  }

  /// It takes longer than the connection may be silent. The system wakes the server once a third of
  /// what it keeps for the connection is taken, a few times a second.
  @Test func `an answer that is taken slowly but in time comes whole`() async throws {
    let configuration = Server.Configuration(idleTimeoutSeconds: 3, requestTimeoutSeconds: 50)
    try await withCountedServer(configuration, handler: Self.answer) { port, counts in
      let client = try RawConnection(port: port, receiveBufferBytes: 64 << 10)
      client.send(Self.request)
      let start = ContinuousClock.now
      #expect(
        eventually(each: [client], takes: 128 << 10) { .now - start > .seconds(4) })
      #expect(try client.receive().text == Self.large)
      // And the next request has its own time.
      #expect(try client.get("/next").text == "GET /next ")
      #expect(counts.values.cutOff == 0)
    }
  }

  @Test func `the time that a handler takes is not taken from its answer's`() async throws {
    let gate = Gate()
    let configuration = Server.Configuration(idleTimeoutSeconds: 30, requestTimeoutSeconds: 2)
    try await withCountedServer(configuration) { request in
      if request.target.path == "/large" { await gate.wait() }
      return await Self.answer(request)
    } client: { port, counts in
      defer { gate.open() }
      let client = try RawConnection(port: port)
      client.send(Self.request)
      #expect(eventually { gate.waitingCount == 1 })
      // Somebody who sends nothing is late after the same time.
      #expect(try RawConnection(port: port).receiveAll() == "")
      #expect(eventually { counts.values.cutOff == 1 })
      gate.open()
      #expect(try client.receive().text == Self.large)
      #expect(counts.values.cutOff == 1)
    }
  }

  /// How an answer that nobody takes ends after all.
  enum End: CaseIterable, Sendable {
    case taken, closed, reset, cutOff
  }

  @Test(arguments: End.allCases)
  func `while answers that nobody takes fill the memory there is no room for more`(
    end: End
  ) async throws {
    let configuration = Server.Configuration(
      idleTimeoutSeconds: 3600, requestTimeoutSeconds: end == .cutOff ? 1 : 3600,
      bodyBytesMax: 1 << 10, bodiesBytesMax: Self.large.utf8.count)
    try await withServer(configuration: configuration, handler: Self.answer) { port in
      // Whatever is not given back would add up.
      for _ in 1...3 {
        var clients = [try Self.ask(port: port)]
        // One of them fills it, and no more than that.
        #expect(try RawConnection(port: port).get("/small").status == 200)
        clients.append(try Self.ask(port: port))
        for request in ["GET / HTTP/1.1", "POST / HTTP/1.1\r\nContent-Length: 0"] {
          let other = try RawConnection(port: port)
          other.send("\(request)\r\nHost: x\r\n\r\n")
          #expect(try other.receive().text == "no room")
        }
        try Self.finish(&clients, end)
        #expect(eventually { (try? RawConnection(port: port).get("/").status) == 200 })
        // Those that are cut off have not gone by themselves.
        withExtendedLifetime(clients) {}
      }
    }
  }

  private static let request = "GET /large HTTP/1.1\r\nHost: x\r\n\r\n"

  @Sendable private static func answer(_ request: Request) async -> Response {
    guard request.target.path == "/large" else { return await echo(request) }
    return .text(large)
  }

  /// A client that has the beginning of a large answer.
  private static func ask(port: Int) throws -> RawConnection {
    let client = try RawConnection(port: port, receiveBufferBytes: 64 << 10)
    client.send(request)
    try client.receiveMore(bytesMax: 1)
    return client
  }

  private static func finish(_ clients: inout [RawConnection], _ end: End) throws {
    for client in clients {
      if end == .taken { #expect(try client.receive().text == large) }
      if end == .reset { client.resetWhenClosed() }
    }
    if end == .closed || end == .reset { clients = [] }
  }
}

/// As `eventually`, while each client takes a little of its answer; those that are cut off have
/// nothing more to take.
private func eventually(
  each clients: [RawConnection], takes bytesMax: Int, _ condition: () -> Bool
) -> Bool {
  eventually {
    for client in clients where bytesMax > 0 { try? client.receiveMore(bytesMax: bytesMax) }
    pauseBetweenPieces()
    return condition()
  }
}
