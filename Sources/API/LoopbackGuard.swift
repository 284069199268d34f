internal import HTTP
internal import HTTPTypes

/// Stands in for API keys while there are none, and keeps web pages out: any page that a person on
/// this machine opens can send requests to loopback. A page of another site names itself in `Origin`;
/// one that points its own name at 127.0.0.1 (DNS rebinding) names itself in `Host`.
enum LoopbackGuard {
  /// - Parameter crossOrigin: Other origins that may use the service all the same.
  /// - Throws: `.access`.
  static func admit(_ request: Request, crossOrigin: CrossOrigin) throws(APIError) {
    // HTTP/1.1 demands the field, and the server refuses requests without it; browsers send it.
    let host = request.target.authority ?? request.headers[.host]
    if let host, !isLoopback(host) { throw .access(.hostNotLoopback(host)) }
    if let origin = request.headers[.origin],
      origin.lowercased() != "http://\(host?.lowercased() ?? "")",
      origin.lowercased() != "https://\(host?.lowercased() ?? "")", !crossOrigin.allows(request)
    {
      throw .access(.originNotOwn(origin))
    }
  }

  /// Whether `host` or `host:port` is `localhost`, 127.0.0.0/8 or `[::1]`.
  static func isLoopback(_ authority: String) -> Bool {
    // Bytes, since each request comes here: characters would cost more than the rest of the guard.
    let bytes = authority.utf8[...]
    let name = Substring(
      bytes.starts(with: "[".utf8)
        ? bytes.prefix { $0 != UInt8(ascii: "]") } : bytes.prefix { $0 != UInt8(ascii: ":") })
    var port = bytes.dropFirst(name.utf8.count)
    if name.utf8.first == UInt8(ascii: "[") {
      guard name == "[::1", port.popFirst() == UInt8(ascii: "]") else { return false }
    } else if name.lowercased() != "localhost" {
      let parts = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
      // UInt8's own reader would take a sign, of -0 too.
      guard parts.count == 4, Substring(parts[0]) == "127",
        parts.allSatisfy({ $0.allSatisfy(isDigit) && UInt8(Substring($0)) != nil })
      else { return false }
    }
    return port.isEmpty
      || (port.popFirst() == UInt8(ascii: ":") && port.allSatisfy(isDigit))
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
