// Both modules include the socket headers, and the one that the compiler loads first has the names.
internal import CMicroHTTPD
internal import Glibc

/// Sockets that listen, on one address or several. Connections wait until a server starts on them.
///
/// They are closed when the value goes.
public struct ListeningSocket: ~Copyable, Sendable {
  private(set) var descriptors: [Int32] = []
  /// The addresses and ports as they stand in a URL: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`;
  /// `unix:` and the path of a Unix socket.
  public private(set) var authorities: [String] = []
  /// Who can connect to at least one of them.
  public private(set) var reach = Reach.user
  private var files: [UnixSocketFile] = []

  /// Who can connect to a socket.
  public enum Reach: Int, Sendable {
    /// Those whom the file of a Unix socket lets.
    case user
    /// All of this machine (127.0.0.0/8, ::1).
    case machine
    /// Others too.
    case network
  }

  /// Listens nowhere.
  public init() {}

  /// Listens on one address.
  ///
  /// - Parameters:
  ///   - host: A name or a numeric address.
  ///   - port: 0 to 65535; 0 takes a free one.
  ///   - loopbackOnly: Whether to refuse an address that others than this machine can reach.
  /// - Throws: As `listen`.
  public init(host: String, port: Int, loopbackOnly: Bool = false) throws(ListenError) {
    self.init()
    try listen(on: .host(host, port: port), loopbackOnly: loopbackOnly)
  }

  /// Listens on one address of any kind; a Unix socket is for its user alone.
  ///
  /// - Throws: As `listen`.
  public init(_ address: ListenAddress) throws(ListenError) {
    self.init()
    try listen(on: address)
  }

  deinit {
    for file in files { file.remove() }
    for descriptor in descriptors { close(descriptor) }
  }

  /// The first of `authorities`.
  public var authority: String { authorities[0] }

  /// Listens on one more address: of a host on the first that it resolves to and that is free; for
  /// `localhost` on 127.0.0.1 and ::1, as far as the machine has them.
  ///
  /// - Parameters:
  ///   - address: Where.
  ///   - loopbackOnly: Whether to refuse an address that others than this machine can reach.
  ///   - letsGroupIn: Whether the group of a Unix socket's file may connect, too.
  /// - Throws: `.unknownHost`, `.notLoopback`, or `.cannotBind` with the reason for the last address
  ///   tried; that is `EEXIST` when the path of a Unix socket is another file.
  public mutating func listen(
    on address: ListenAddress, loopbackOnly: Bool = false, letsGroupIn: Bool = false
  ) throws(ListenError) {
    switch address {
    case .unix(let path):
      let file = try UnixSocketFile(path, letsGroupIn: letsGroupIn)
      files.append(file)
      descriptors.append(file.descriptor)
      authorities.append("unix:\(path)")
    case .host(let host, let port) where host.lowercased() == "localhost":
      let both = try BoundSocket.listenOnBothFamilies(port: port)
      descriptors += both
      let bound = BoundSocket(both[0])
      authorities.append(both.count == 1 ? bound.authority : "localhost:\(bound.port)")
      widen(to: .machine)
    case .host(let host, let port):
      let descriptor = try BoundSocket.listen(host: host, port: port, loopbackOnly: loopbackOnly)
      add(descriptor, BoundSocket(descriptor))
    }
  }

  /// Listens on one more socket, which another program has bound and this process has inherited.
  ///
  /// - Parameter loopbackOnly: Whether to refuse an address that others than this machine can reach.
  /// - Throws: `.notListening`, `.notLoopback`; then the descriptor is as it was.
  public mutating func take(_ descriptor: Int32, loopbackOnly: Bool = false) throws(ListenError) {
    guard BoundSocket.listens(descriptor) else { throw .notListening }
    let bound = BoundSocket(descriptor)
    guard !loopbackOnly || bound.reach != .network else { throw .notLoopback }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    add(descriptor, bound)
  }

  private mutating func add(_ descriptor: Int32, _ bound: BoundSocket) {
    descriptors.append(descriptor)
    authorities.append(bound.authority)
    widen(to: bound.reach)
  }

  private mutating func widen(to other: Reach) {
    if other.rawValue > reach.rawValue { reach = other }
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
  /// A descriptor that is no socket for connections, or one that does not listen.
  case notListening
  /// The server could not start its event loops on the socket.
  case cannotStart(errorNumber: Int32)
}
