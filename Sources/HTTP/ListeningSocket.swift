// Both modules include the socket headers, and the one that the compiler loads first has the names.
internal import CMicroHTTPD
internal import Glibc

/// A TCP socket that listens on one address. Connections wait until a server starts on it.
///
/// The socket is closed when the value goes.
public struct ListeningSocket: ~Copyable, Sendable {
  let descriptor: Int32
  /// The address and port as they stand in a URL: `127.0.0.1:8080`, `[::1]:8080`.
  public let authority: String
  /// Whether only this machine can reach it (127.0.0.0/8, ::1).
  public let isLoopback: Bool

  /// Listens on the first address that `host` resolves to and that is free.
  ///
  /// - Parameters:
  ///   - host: A name or a numeric address.
  ///   - port: 0 to 65535; 0 takes a free one.
  ///   - loopbackOnly: Whether to refuse an address that others than this machine can reach.
  /// - Throws: `.unknownHost`, `.notLoopback`, or `.cannotBind` with the reason for the last address
  ///   tried.
  public init(host: String, port: Int, loopbackOnly: Bool = false) throws(ListenError) {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_NUMERICSERV
    var addresses: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, String(port), &hints, &addresses)
    guard code == 0 else { throw .unknownHost(reason: String(cString: gai_strerror(code))) }
    defer { freeaddrinfo(addresses) }

    var errorNumber: Int32 = 0
    var candidate = addresses
    while let address = candidate?.pointee {
      // Before it is bound: a socket that listens takes connections at once.
      if loopbackOnly, !Self.describe(address.ai_addr, address.ai_addrlen).isLoopback {
        throw .notLoopback
      }
      let descriptor = Self.listen(address)
      if descriptor >= 0 {
        self.descriptor = descriptor
        (authority, isLoopback) = Self.describeBound(descriptor)
        return
      }
      errorNumber = errno
      candidate = address.ai_next
    }
    throw .cannotBind(errorNumber: errorNumber)
  }

  deinit {
    close(descriptor)
  }

  /// - Returns: -1 with `errno` set when the address is not to be had.
  private static func listen(_ address: addrinfo) -> Int32 {
    let kind = address.ai_socktype | Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let descriptor = socket(address.ai_family, kind, address.ai_protocol)
    guard descriptor >= 0 else { return -1 }
    // A restarted server may take its address again at once (socket(7), SO_REUSEADDR).
    var on: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    guard bind(descriptor, address.ai_addr, address.ai_addrlen) == 0,
      Glibc.listen(descriptor, SOMAXCONN) == 0
    else {
      let errorNumber = errno
      close(descriptor)
      errno = errorNumber
      return -1
    }
    return descriptor
  }

  private static func describeBound(
    _ descriptor: Int32
  ) -> (authority: String, isLoopback: Bool) {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &storage) { storage in
      storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        getsockname(descriptor, address, &length)
        return describe(address, length)
      }
    }
  }

  private static func describe(
    _ address: UnsafePointer<sockaddr>, _ length: socklen_t
  ) -> (authority: String, isLoopback: Bool) {
    var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    var port = [CChar](repeating: 0, count: Int(NI_MAXSERV))
    let code = getnameinfo(
      address, length, &host, socklen_t(host.count), &port, socklen_t(port.count),
      NI_NUMERICHOST | NI_NUMERICSERV)
    precondition(code == 0, "a socket's address has a numeric form")
    let name = host.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    let number = port.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    let isIPv6 = name.contains(":")
    return (
      "\(isIPv6 ? "[\(name)]" : name):\(number)",
      name.hasPrefix("127.") || name == "::1"
    )
  }
}

/// Why a socket cannot listen.
public enum ListenError: Error, Equatable, Sendable {
  /// The host is not a name or an address that is known here; the resolver's words.
  case unknownHost(reason: String)
  /// Others than this machine could reach the address, and only loopback was asked for.
  case notLoopback
  /// No address could be bound; `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL` and others (bind(2)).
  case cannotBind(errorNumber: Int32)
  /// The server could not start its event loops on the socket.
  case cannotStart(errorNumber: Int32)
}
