/// Where a server listens.
public enum ListenAddress: CustomStringConvertible, Equatable, Sendable {
  /// A name or a numeric address, and a port; 0 takes a free one.
  case host(String, port: Int)
  /// The absolute path of a Unix socket.
  case unix(path: String)

  /// Reads `unix:/run/service.sock`, `127.0.0.1:9180`, `[::1]:9180`.
  ///
  /// - Returns: nil for every other form.
  public init?(_ text: String) {
    if text.hasPrefix("unix:") {
      let path = text.dropFirst("unix:".count)
      guard path.hasPrefix("/"), path.utf8.count < Self.pathBytesMax else { return nil }
      self = .unix(path: String(path))
      return
    }
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let digits = text[text.index(after: colon)...]
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil
    }
    guard !host.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      let port = Int(digits), port <= 65535
    else { return nil }
    self = .host(String(host), port: port)
  }

  /// Whether other machines can reach it; false as well for a name, of which only a lookup tells.
  public var isKnownToReachOtherMachines: Bool {
    guard case .host(let host, _) = self, let address = ClientAddress(host) else { return false }
    return !address.isLoopback
  }

  /// As it is read.
  public var description: String {
    switch self {
    case .host(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    case .unix(let path): "unix:\(path)"
    }
  }

  /// unix(7): the room in `sun_path`, its NUL included.
  private static let pathBytesMax = 108
}
