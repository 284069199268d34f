// Both modules include the socket headers, and the one that the compiler loads first has the names.
internal import CMicroHTTPD
internal import Glibc

/// A socket that listens on one address, or two of them, where the host has one of each family.
/// Connections wait until a server starts on it.
///
/// It is closed when the value goes.
public struct ListeningSocket: ~Copyable, Sendable {
  /// How often another free port is tried, when one is free in one family only.
  private static let portTriesMax = 16

  let descriptors: [Int32]
  /// The address and port as they stand in a URL: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`;
  /// `unix:` and the path of a Unix socket.
  public let authority: String
  /// Who can connect.
  public let reach: Reach
  private let file: UnixSocketFile?

  /// Who can connect to a socket.
  public enum Reach: Sendable {
    /// The user who listens, by a Unix socket.
    case user
    /// All of this machine (127.0.0.0/8, ::1).
    case machine
    /// Others too.
    case network
  }

  /// Listens on the first address that `host` resolves to and that is free; for `localhost` on
  /// 127.0.0.1 and ::1, as far as the machine has them.
  ///
  /// - Parameters:
  ///   - host: A name or a numeric address.
  ///   - port: 0 to 65535; 0 takes a free one.
  ///   - loopbackOnly: Whether to refuse an address that others than this machine can reach.
  /// - Throws: `.unknownHost`, `.notLoopback`, or `.cannotBind` with the reason for the last address
  ///   tried.
  public init(host: String, port: Int, loopbackOnly: Bool = false) throws(ListenError) {
    file = nil
    if host.lowercased() == "localhost" {
      descriptors = try Self.listenOnBothFamilies(port: port)
    } else {
      descriptors = [try Self.listen(host: host, port: port, loopbackOnly: loopbackOnly)]
    }
    let bound = Self.describeBound(descriptors[0])
    authority = descriptors.count == 1 ? bound.authority : "localhost:\(bound.port)"
    reach = bound.isLoopback ? .machine : .network
  }

  /// Listens on an address of any kind.
  ///
  /// - Throws: As above; `.cannotBind` with `EEXIST` when the path of a Unix socket is another file.
  public init(_ address: ListenAddress) throws(ListenError) {
    switch address {
    case .host(let host, let port): try self.init(host: host, port: port)
    case .unix(let path): try self.init(unixPath: path)
    }
  }

  private init(unixPath path: String) throws(ListenError) {
    let file = try UnixSocketFile(path)
    self.file = file
    descriptors = [file.descriptor]
    authority = "unix:\(path)"
    reach = .user
  }

  deinit {
    file?.remove()
    for descriptor in descriptors { close(descriptor) }
  }

  private static func listenOnBothFamilies(port: Int) throws(ListenError) -> [Int32] {
    for triesLeft in (0..<portTriesMax).reversed() {
      let first = try listenIfThere(host: "127.0.0.1", port: port)
      let taken = first.map { describeBound($0).port } ?? port
      do throws(ListenError) {
        let second = try listenIfThere(host: "::1", port: taken)
        if first != nil || second != nil { return [first, second].compactMap(\.self) }
        throw .cannotBind(errorNumber: EADDRNOTAVAIL)
      } catch {
        if let first { close(first) }
        guard port == 0, triesLeft > 0, error == .cannotBind(errorNumber: EADDRINUSE) else {
          throw error
        }
      }
    }
    preconditionFailure("the last try returns or throws")
  }

  /// - Returns: nil when the machine does not have the address.
  private static func listenIfThere(host: String, port: Int) throws(ListenError) -> Int32? {
    do {
      return try listen(host: host, port: port, loopbackOnly: true)
    } catch .cannotBind(EADDRNOTAVAIL), .cannotBind(EAFNOSUPPORT), .unknownHost {
      return nil
    }
  }

  private static func listen(
    host: String, port: Int, loopbackOnly: Bool
  ) throws(ListenError) -> Int32 {
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
      if descriptor >= 0 { return descriptor }
      errorNumber = errno
      candidate = address.ai_next
    }
    throw .cannotBind(errorNumber: errorNumber)
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
  ) -> (authority: String, port: Int, isLoopback: Bool) {
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
  ) -> (authority: String, port: Int, isLoopback: Bool) {
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
      Int(number)!,
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
