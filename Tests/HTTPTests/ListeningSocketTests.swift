import Glibc
import TestSupport
import Testing

@testable import HTTP

@Suite struct ListeningSocketTests {
  @Test(arguments: ["127.0.0.1", "127.0.0.2", "localhost"])
  func `port 0 takes a free port`(host: String) throws {
    let socket = try ListeningSocket(host: host, port: 0)
    #expect((1...65535).contains(socket.port))
    let other = try ListeningSocket(host: host, port: 0)
    #expect(socket.authority != other.authority)
  }

  @Test(arguments: [
    ("127.0.0.1", "127.0.0.1:", true),
    ("127.0.0.2", "127.0.0.2:", true),
    ("127.255.255.254", "127.255.255.254:", true),
    ("0.0.0.0", "0.0.0.0:", false),
    ("::1", "[::1]:", true),
    ("::", "[::]:", false),
    ("::ffff:127.0.0.1", "[::ffff:127.0.0.1]:", nil),
  ])
  func `the address is told as in a URL, and whether others can reach it`(
    host: String, prefix: String, isLoopback: Bool?
  ) throws {
    let socket = try ListeningSocket(host: host, port: 0)
    #expect(socket.authority == "\(prefix)\(socket.port)")
    if let isLoopback { #expect(socket.reach == (isLoopback ? .machine : .network)) }
  }

  @Test(arguments: ["127.0.0.1", "0.0.0.0"])
  func `a port in use is refused with the reason`(host: String) async throws {
    try await withServer { port in
      #expect(throws: ListenError.cannotBind(errorNumber: EADDRINUSE)) {
        _ = try ListeningSocket(host: host, port: port)
      }
    }
  }

  @Test func `an address of another machine is refused with the reason`() {
    // TEST-NET-1 (RFC 5737).
    #expect(throws: ListenError.cannotBind(errorNumber: EADDRNOTAVAIL)) {
      _ = try ListeningSocket(host: "192.0.2.1", port: 0)
    }
  }

  @Test(arguments: ["", "a b", "x..y", "[::1]"])
  func `an unknown host is refused with the words of the resolver`(host: String) {
    let error = #expect(throws: ListenError.self) {
      _ = try ListeningSocket(host: host, port: 0)
    }
    guard case .unknownHost(let reason) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(!reason.isEmpty)
  }

  @Test func `connections wait until a server starts, and others find the port in use`()
    async throws
  {
    let socket = try ListeningSocket(host: "127.0.0.1", port: 0)
    let port = socket.port
    #expect(throws: ListenError.cannotBind(errorNumber: EADDRINUSE)) {
      _ = try ListeningSocket(host: "127.0.0.1", port: port)
    }
    let connection = try RawConnection(port: port)
    connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    let server = try Server(on: socket, configuration: .init(), handler: later(echo))
    nonisolated(unsafe) let waiting = connection
    #expect(try await onOwnThread { try waiting.receive().status } == 200)
    #expect(await server.stop(within: .seconds(90)))
  }

  @Test func `one may listen on several addresses, and reaches as far as the widest`() throws {
    var socket = ListeningSocket()
    #expect(socket.authorities == [])
    for (host, reach) in [
      ("127.0.0.1", ListeningSocket.Reach.machine), ("0.0.0.0", .network), ("127.0.0.2", .network),
    ] {
      try socket.listen(on: .host(host, port: 0))
      #expect(socket.reach == reach)
    }
    let hosts = socket.authorities.map { $0.split(separator: ":").first! }
    #expect(hosts == ["127.0.0.1", "0.0.0.0", "127.0.0.2"])
    // One that is not to be had changes nothing.
    do throws(ListenError) {
      try socket.listen(on: .host("0.0.0.0", port: 0), loopbackOnly: true)
      Issue.record("it listens")
    } catch {
      #expect(error == .notLoopback)
    }
    #expect(socket.authorities.count == 3)
  }

  @Test func `a socket that another has bound is taken as it is`() throws {
    let other = try ListeningSocket(host: "127.0.0.1", port: 0)
    var socket = ListeningSocket()
    try socket.take(dup(other.descriptors[0]), loopbackOnly: true)
    #expect(socket.authorities == other.authorities)
    #expect(socket.reach == .machine)

    let wide = try ListeningSocket(host: "0.0.0.0", port: 0)
    let unbound = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(unbound) }
    for (descriptor, error) in [
      (wide.descriptors[0], ListenError.notLoopback), (unbound, .notListening), (-1, .notListening),
      (STDERR_FILENO, .notListening),
    ] {
      do throws(ListenError) {
        try socket.take(descriptor, loopbackOnly: true)
        Issue.record("it is taken")
      } catch let thrown {
        #expect(thrown == error)
      }
    }
    #expect(socket.authorities.count == 1)
  }

  @Test func `a socket that goes is closed, bound or not`() async {
    await #expect(processExitsWith: .success) {
      func bindAndDrop() throws {
        _ = try ListeningSocket(host: "127.0.0.1", port: 0).authority
        #expect(throws: ListenError.self) { _ = try ListeningSocket(host: "192.0.2.1", port: 0) }
      }
      try bindAndDrop()
      // The testing library may open a few of its own meanwhile.
      let descriptorsMax = openDescriptorCount() + 8
      for _ in 1...50 { try bindAndDrop() }
      #expect(openDescriptorCount() <= descriptorsMax)
    }
  }

  /// The server closes the connection, so that it stays in TIME_WAIT on the server's port.
  @Test func `a server can take the address of one that has just stopped`() async throws {
    let socket = try ListeningSocket(host: "127.0.0.1", port: 0)
    let port = socket.port
    let server = try Server(on: socket, configuration: .init(), handler: later(echo))
    try await onOwnThread {
      let connection = try RawConnection(port: port)
      connection.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      #expect(try connection.receiveAll().hasSuffix("GET / "))
    }
    #expect(await server.stop(within: .seconds(90)))
    // A process that another test is starting may hold the old socket for a moment.
    try await onOwnThread { #expect(eventually { canListen(port: port) }) }
  }
}

private func canListen(port: Int) -> Bool {
  do {
    return try ListeningSocket(host: "127.0.0.1", port: port).port == port
  } catch {
    return false
  }
}
