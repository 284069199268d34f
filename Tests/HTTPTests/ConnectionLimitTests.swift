import Glibc
import TestSupport
import Testing

@testable import HTTP

/// How many connections there may be, in all and from one address.
@Suite(.timeLimit(.minutes(1))) struct ConnectionLimitTests {
  @Test func `past the limit a connection is closed at once, and room comes back`() async throws {
    try await withCountedServer(.init(connectionsMax: 3)) { port, counts in
      var served = try (1...3).map { _ in try RawConnection(port: port) }
      for connection in served { #expect(try connection.get("/").status == 200) }
      for number in 1...5 {
        // Were it left hanging, this would throw `.timedOut`.
        #expect(try RawConnection(port: port).receiveAll() == "")
        #expect(counts.values.refusedAtLimit == number)
      }
      #expect(counts.values.open == 3)
      #expect(counts.values.accepted == 3)
      // Those that have their place keep it.
      for connection in served { #expect(try connection.get("/").status == 200) }

      served.removeFirst()
      #expect(eventually { counts.values.open == 2 })
      let next = try RawConnection(port: port)
      #expect(try next.get("/").status == 200)
      #expect(try RawConnection(port: port).receiveAll() == "")
      #expect(counts.values.open == 3)
      #expect(counts.values.accepted == 4)
      #expect(counts.values.refusedAtLimit == 6)
      #expect(counts.values.refusedAtAddressLimit == 0)
    }
  }

  @Test(arguments: [1, 3])
  func `one event loop may have all of the connections`(eventLoops: Int) async throws {
    let configuration = Server.Configuration(eventLoops: eventLoops, connectionsMax: 10)
    try await withCountedServer(configuration) { port, counts in
      let served = try (1...10).map { _ in try RawConnection(port: port) }
      for connection in served { #expect(try connection.get("/").status == 200) }
      #expect(try RawConnection(port: port).receiveAll() == "")
      #expect(counts.values.refusedAtLimit == 1)
    }
  }

  @Test func `1000 quick connections of every kind leave the count as it was`() async throws {
    // libmicrohttpd misses the end of a connection that comes along with its last bytes, so those
    // that are left in the middle of a request have their place until they are late.
    let configuration = Server.Configuration(
      connectionsMax: 300, requestTimeoutSeconds: 3, bodyBytesMax: 1 << 20)
    try await withCountedServer(configuration) { port, counts in
      for round in 1...1000 {
        #expect(eventually { counts.values.open < 300 })
        try comeAndGo(port: port, round: round)
      }
      #expect(eventually { counts.values.accepted == 1000 })
      #expect(eventually { counts.values.open == 0 })
      #expect(counts.values.refusedAtLimit == 0)

      // Each asks at once, before it is late.
      let served = try (1...300).map { _ in
        let connection = try RawConnection(port: port)
        #expect(try connection.get("/").status == 200)
        return connection
      }
      for _ in 1...100 { #expect(try RawConnection(port: port).receiveAll() == "") }
      #expect(counts.values.open == served.count)
      #expect(counts.values.refusedAtLimit == 100)
    }
  }

  @Test func `past the limit of an address its connections are closed`() async throws {
    let configuration = Server.Configuration(connectionsMax: 100, connectionsPerAddressMax: 2)
    try await withCountedServer(configuration) { port, counts in
      var served = try (1...2).map { _ in try RawConnection(port: port) }
      for connection in served { #expect(try connection.get("/").status == 200) }
      #expect(try RawConnection(port: port).receiveAll() == "")
      #expect(counts.values.refusedAtAddressLimit == 1)
      #expect(counts.values.refusedAtLimit == 0)

      served.removeLast()
      #expect(eventually { counts.values.open == 1 })
      #expect(try RawConnection(port: port).get("/").status == 200)
      #expect(counts.values.accepted == 3)
    }
  }

  @Test func `each address has its own count`() {
    let counts = ConnectionCounts()
    let connections = ClientConnections(
      connectionsMax: 100, connectionsPerAddressMax: 2, counts: counts)
    #expect(connections.admit(from: .ipv4(1)))
    #expect(connections.admit(from: .ipv4(1)))
    #expect(!connections.admit(from: .ipv4(1)))
    #expect(connections.admit(from: .ipv4(2)))
    #expect(connections.admit(from: .ipv4(2)))
    #expect(!connections.admit(from: .ipv4(2)))
    connections.remove(.ipv4(1))
    #expect(!connections.admit(from: .ipv4(2)))
    #expect(connections.admit(from: .ipv4(1)))
    #expect(counts.values.open == 4)
    #expect(counts.values.accepted == 5)
    #expect(counts.values.refusedAtAddressLimit == 3)
  }

  @Test func `whoever leaves makes room`() {
    let counts = ConnectionCounts()
    let connections = ClientConnections(
      connectionsMax: 1, connectionsPerAddressMax: 0, counts: counts)
    #expect(connections.admit(from: .ipv4(1)))
    #expect(!connections.admit(from: .ipv4(2)))
    connections.remove(.ipv4(1))
    #expect(connections.admit(from: .ipv4(2)))
    #expect(counts.values.open == 1)
    #expect(counts.values.refusedAtLimit == 1)
  }
}

/// As `withServer`, with what the server counts.
func withCountedServer(
  _ configuration: Server.Configuration,
  handler: @escaping WaitingHandler = { await echo($0) },
  client: @escaping @Sendable (_ port: Int, _ counts: ConnectionCounts) throws -> Void
) async throws {
  let socket = try ListeningSocket(host: "127.0.0.1", port: 0)
  let port = socket.port
  let counts = ConnectionCounts()
  let server = try Server(
    on: socket, configuration: configuration, counts: counts, handler: later(handler))
  var failure: (any Error)?
  do {
    try await onOwnThread { try client(port, counts) }
  } catch {
    failure = error
  }
  #expect(await server.stop(within: .seconds(90)))
  #expect(counts.values.open == 0)
  if let failure { throw failure }
}

/// One connection of a kind that depends on the round.
private func comeAndGo(port: Int, round: Int) throws {
  let connection = try RawConnection(port: port)
  switch round % 5 {
  case 0: #expect(try connection.get("/").status == 200)
  case 1: connection.send("GET /left HTTP/1.1\r\nHost: x\r\nX-Never: fin")
  case 2: connection.resetWhenClosed()
  case 3:
    connection.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30000000\r\n\r\n")
    #expect(try connection.receive().status == 413)
  default: break
  }
}

extension ClientAddress {
  fileprivate static func ipv4(_ number: UInt32) -> ClientAddress {
    var storage = sockaddr_storage()
    withUnsafeMutableBytes(of: &storage) { bytes in
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = number
      bytes.storeBytes(of: address, as: sockaddr_in.self)
    }
    return ClientAddress(storage)
  }
}
