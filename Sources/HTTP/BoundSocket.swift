// Both modules include the socket headers, and the one that the compiler loads first has the names.
internal import CMicroHTTPD
internal import Glibc

/// What the address of a bound socket says, and how a socket is bound.
struct BoundSocket {
  /// How often another free port is tried, when one is free in one family only.
  private static let portTriesMax = 16

  /// The address and port as they stand in a URL, or `unix:` and the path, or `unix:@` and the name of
  /// a socket that has no file (unix(7), "abstract").
  let authority: String
  /// 0 for a Unix socket.
  let port: Int
  let reach: ListeningSocket.Reach

  init(_ descriptor: Int32) {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    self = withUnsafeMutablePointer(to: &storage) { storage in
      storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        getsockname(descriptor, address, &length)
        return Int32(address.pointee.sa_family) == AF_UNIX
          ? BoundSocket(unix: address, length) : BoundSocket(address, length)
      }
    }
  }

  private init(unix address: UnsafePointer<sockaddr>, _ length: socklen_t) {
    let bytes = UnsafeRawBufferPointer(start: address, count: Int(length))
    let path = bytes.dropFirst(MemoryLayout<sockaddr_un>.offset(of: \.sun_path)!)
    port = 0
    if let first = path.first, first == 0, path.count > 1 {
      authority = "unix:@" + String(decoding: path.dropFirst(), as: UTF8.self)
      // No file's mode keeps anybody away.
      reach = .machine
    } else {
      authority = "unix:" + String(decoding: path.prefix { $0 != 0 }, as: UTF8.self)
      reach = .user
    }
  }

  private init(_ address: UnsafePointer<sockaddr>, _ length: socklen_t) {
    var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    var port = [CChar](repeating: 0, count: Int(NI_MAXSERV))
    let code = getnameinfo(
      address, length, &host, socklen_t(host.count), &port, socklen_t(port.count),
      NI_NUMERICHOST | NI_NUMERICSERV)
    precondition(code == 0, "a socket's address has a numeric form")
    let name = host.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    let number = port.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    authority = "\(name.contains(":") ? "[\(name)]" : name):\(number)"
    self.port = Int(number)!
    reach = name.hasPrefix("127.") || name == "::1" ? .machine : .network
  }

  /// Whether a descriptor is a socket for connections that listens, of a family that is served.
  static func listens(_ descriptor: Int32) -> Bool {
    func option(_ name: Int32) -> Int32? {
      var value: Int32 = 0
      var size = socklen_t(MemoryLayout<Int32>.size)
      return getsockopt(descriptor, SOL_SOCKET, name, &value, &size) == 0 ? value : nil
    }
    return option(SO_ACCEPTCONN) == 1 && option(SO_TYPE) == Int32(SOCK_STREAM.rawValue)
      && [AF_INET, AF_INET6, AF_UNIX].contains(option(SO_DOMAIN))
  }

  static func listenOnBothFamilies(port: Int) throws(ListenError) -> [Int32] {
    for triesLeft in (0..<portTriesMax).reversed() {
      let first = try listenIfThere(host: "127.0.0.1", port: port)
      let taken = first.map { BoundSocket($0).port } ?? port
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

  static func listen(
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
      if loopbackOnly, Self(address.ai_addr, address.ai_addrlen).reach == .network {
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
}
