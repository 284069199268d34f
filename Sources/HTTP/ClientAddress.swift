// Both modules include the socket headers, and the one that the compiler loads first has the names.
internal import CMicroHTTPD
internal import Glibc

/// Where a connection comes from: an IPv4 or IPv6 address, or a Unix socket of this machine.
public struct ClientAddress: Hashable, Sendable, CustomStringConvertible {
  /// An IPv6 address, or an IPv4 address as `::ffff:a.b.c.d` (RFC 4291, section 2.5.5.2).
  let bits: UInt128
  let isUnix: Bool

  private static let mappedPrefix: UInt128 = 0xffff << 32

  init(_ storage: sockaddr_storage) {
    isUnix = ![AF_INET, AF_INET6].contains(Int32(storage.ss_family))
    bits = withUnsafeBytes(of: storage) { bytes in
      switch Int32(storage.ss_family) {
      case AF_INET:
        let address = bytes.loadUnaligned(as: sockaddr_in.self).sin_addr.s_addr
        return Self.mappedPrefix | UInt128(UInt32(bigEndian: address))
      case AF_INET6:
        let address = bytes.loadUnaligned(as: sockaddr_in6.self).sin6_addr
        return withUnsafeBytes(of: address) {
          UInt128(bigEndian: $0.loadUnaligned(as: UInt128.self))
        }
      default: return 0
      }
    }
  }

  /// Reads a numeric address.
  ///
  /// - Returns: nil for every other text.
  public init?(_ text: String) {
    isUnix = false
    var address = in_addr()
    if inet_pton(AF_INET, text, &address) == 1 {
      bits = Self.mappedPrefix | UInt128(UInt32(bigEndian: address.s_addr))
      return
    }
    var longAddress = in6_addr()
    guard inet_pton(AF_INET6, text, &longAddress) == 1 else { return nil }
    bits = withUnsafeBytes(of: longAddress) {
      UInt128(bigEndian: $0.loadUnaligned(as: UInt128.self))
    }
  }

  var isIPv4: Bool { !isUnix && bits >> 32 == 0xffff }

  /// Whether it is of 127.0.0.0/8, or ::1.
  var isLoopback: Bool { !isUnix && (isIPv4 ? (bits >> 24) & 0xff == 127 : bits == 1) }

  /// What counts as one client where connections are counted: of an IPv6 address its 64-bit prefix,
  /// of which one host may have any number of addresses.
  var countedAs: ClientAddress { isIPv4 || isUnix ? self : ClientAddress(bits: (bits >> 64) << 64) }

  private init(bits: UInt128) {
    self.bits = bits
    isUnix = false
  }

  /// `192.0.2.1`, `2001:db8::1`, or `unix`.
  public var description: String {
    if isUnix { return "unix" }
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { text in
      let length = socklen_t(text.count)
      if isIPv4 {
        var address = in_addr(s_addr: UInt32(truncatingIfNeeded: bits).bigEndian)
        inet_ntop(AF_INET, &address, text.baseAddress!, length)
      } else {
        var address = bits.bigEndian
        inet_ntop(AF_INET6, &address, text.baseAddress!, length)
      }
      return String(cString: text.baseAddress!)
    }
  }
}

/// An address, or all addresses with the same beginning (CIDR notation, RFC 4632), or the Unix sockets
/// of this machine.
public struct NetworkRange: Sendable {
  private let first: UInt128
  private let prefixLength: Int
  private let isUnix: Bool

  /// Reads `192.0.2.1`, `10.0.0.0/8`, `2001:db8::/32`, `unix`.
  ///
  /// - Returns: nil for every other text.
  public init?(_ text: String) {
    isUnix = text == "unix"
    if isUnix {
      (first, prefixLength) = (0, 0)
      return
    }
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let address = ClientAddress(String(parts[0])) else { return nil }
    let lengthMax = address.isIPv4 ? 32 : 128
    var length = lengthMax
    if parts.count == 2 {
      guard parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(parts[1]),
        number <= lengthMax
      else { return nil }
      length = number
    }
    prefixLength = length + 128 - lengthMax
    first = address.bits
  }

  /// Whether an address is in it.
  public func contains(_ address: ClientAddress) -> Bool {
    guard address.isUnix == isUnix else { return false }
    guard prefixLength > 0 else { return true }
    return (address.bits ^ first) >> (128 - prefixLength) == 0
  }
}
