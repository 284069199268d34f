import HTTP
import TestSupport
import Testing

/// The memory for the contents of all requests together.
@Suite(.timeLimit(.minutes(1))) struct ContentRoomTests {
  /// What each request may have in any case.
  private static let free = 16 << 10
  /// The largest content, and all the room: three quarters of it are taken by one such content.
  private static let large = 64 << 10

  enum Framing: CaseIterable, Sendable {
    case length, chunked

    /// A request of so much content, or only the first `sent` bytes of it.
    func request(_ path: String, _ count: Int, sent: Int? = nil) -> String {
      let content = String(repeating: "a", count: sent ?? count)
      let fields =
        switch self {
        case .length: "Content-Length: \(count)\r\n\r\n\(content)"
        case .chunked:
          "Transfer-Encoding: chunked\r\n\r\n\(String(count, radix: 16))\r\n\(content)"
            + (sent == nil ? "\r\n0\r\n\r\n" : "")
        }
      return "POST \(path) HTTP/1.1\r\nHost: x\r\n\(fields)"
    }
  }

  private func configuration(requestTimeoutSeconds: Int = 3600) -> Server.Configuration {
    Server.Configuration(
      idleTimeoutSeconds: 3600, requestTimeoutSeconds: requestTimeoutSeconds,
      bodyBytesMax: Self.large, bodiesBytesMax: Self.large)
  }

  @Test(arguments: Framing.allCases)
  func `small contents always find room, large ones as long as there is some`(
    framing: Framing
  ) async throws {
    let gate = Gate()
    try await withServer(configuration: configuration(), handler: gate.answer) { port in
      defer { gate.open() }
      // Each has 16 KiB for nothing, so that these two have all the room.
      let kept = try [Self.large, 2 * Self.free].map {
        try send(framing.request("/wait", $0), port: port)
      }
      #expect(eventually { gate.waitingCount == 2 })
      for _ in 1...3 {
        for count in [Self.free + 1, 2 * Self.free, Self.large] {
          let refused = try send(framing.request("/", count), port: port)
          #expect(try refused.receive().text == "no room")
        }
      }
      let small = try (1...20).map { _ in
        try send(framing.request("/wait", Self.free), port: port)
      }
      #expect(eventually { gate.waitingCount == 22 })
      gate.open()
      for connection in kept + small { #expect(try connection.receive().status == 200) }
    }
  }

  /// Whatever is not given back would add up, also on one connection. A client that has its answer finds
  /// room at once.
  @Test(arguments: Framing.allCases)
  func `room comes back with each answer`(framing: Framing) async throws {
    try await withServer(
      configuration: configuration(), handler: { .text("\($0.bytes?.count ?? 0)") },
      client: { port in
        let connection = try RawConnection(port: port)
        for _ in 1...10 {
          connection.send(framing.request("/", Self.large))
          #expect(try connection.receive().text == "\(Self.large)")
          let other = try send(framing.request("/", Self.large), port: port)
          #expect(try other.receive().text == "\(Self.large)")
        }
      })
  }

  /// Large answers count too. libmicrohttpd lets go of one when the client has all of it, or a moment
  /// later.
  @Test func `the room of an answer comes back when it was taken`() async throws {
    try await withServer(configuration: configuration()) { port in
      for _ in 1...10 {
        #expect(
          eventually {
            let answer = try? send(Framing.length.request("/", Self.large), port: port).receive()
            return answer?.text.utf8.count == "POST / ".utf8.count + Self.large
          })
      }
    }
  }

  enum End: CaseIterable, Sendable {
    case closed, reset, cutOff
  }

  @Test(arguments: Framing.allCases, End.allCases)
  func `room comes back when a client goes away in the middle`(
    framing: Framing, end: End
  ) async throws {
    let configuration = configuration(requestTimeoutSeconds: end == .cutOff ? 1 : 3600)
    try await withServer(configuration: configuration) { port in
      let status = { try? send(framing.request("/", Self.large), port: port).receive().status }
      var half: RawConnection?
      // Whoever is read first has the room: when that was the other one, this one has none.
      let isFull = eventually {
        half = try? send(framing.request("/", Self.large, sent: Self.large - 1), port: port)
        pauseBetweenPieces()
        return status() == 503
      }
      #expect(isFull)
      if end == .reset { half?.resetWhenClosed() }
      if end == .cutOff {
        let answer = try half?.receiveAll()
        #expect(answer == "")
      }
      half = nil
      #expect(eventually { status() == 200 })
      // For as many as before.
      for _ in 1...5 { #expect(status() == 200) }
    }
  }

  /// Its content is dropped, though it has not ended.
  @Test(arguments: Framing.allCases)
  func `who found no room keeps none while he goes on to send`(framing: Framing) async throws {
    let gate = Gate()
    try await withServer(configuration: configuration(), handler: gate.answer) { port in
      defer { gate.open() }
      let first = try send(framing.request("/wait", Self.large), port: port)
      #expect(eventually { gate.waitingCount == 1 })
      let second = try send(framing.request("/", Self.large, sent: Self.large - 1), port: port)
      // There is just room for one more such beside the first.
      let status = {
        try? send(framing.request("/", 2 * Self.free), port: port).receive().status
      }
      #expect(eventually { (1...20).allSatisfy { _ in status() == 200 } })
      second.send("a" + (framing == .chunked ? "\r\n0\r\n\r\n" : ""))
      #expect(try second.receive().text == "no room")
      #expect(status() == 200)
      gate.open()
      #expect(try first.receive().status == 200)
    }
  }
}

extension Gate {
  /// A handler of which the requests for `/wait` wait at the gate.
  @Sendable fileprivate func answer(_ request: Request) async -> Response {
    if request.target.path == "/wait", request.bytes != nil { await wait() }
    return await echo(request)
  }
}

private func send(_ request: String, port: Int) throws -> RawConnection {
  let connection = try RawConnection(port: port)
  connection.send(request)
  return connection
}
