import Glibc
import Testing

@testable import HTTP

/// Which clients count as one.
@Suite struct ClientAddressTests {
  @Test(arguments: [
    ("192.0.2.1", "192.0.2.1"),
    ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
    // A socket that takes both sees an IPv4 client so.
    ("192.0.2.1", "::ffff:192.0.2.1"),
    ("2001:db8:0:1::1", "2001:db8:0:1::1"),
    ("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff"),
    // Only with a prefix of zeros it would be an IPv4 client.
    ("2001:db8:0:1::1", "2001:db8:0:1:0:ffff:c000:201"),
    ("fe80::1", "fe80::2"),
  ])
  func `one client, whatever its port`(one: String, other: String) throws {
    let first = try address(one, port: 1).countedAs
    let second = try address(other, port: 65535).countedAs
    #expect(first == second)
    #expect(Set([first, second]).count == 1)
  }

  @Test(arguments: [
    ("192.0.2.1", "192.0.2.2"),
    ("192.0.2.1", "193.0.2.1"),
    ("::ffff:192.0.2.1", "::ffff:192.0.2.2"),
    ("192.0.2.1", "::ffff:193.0.2.1"),
    ("2001:db8:0:1::1", "2001:db8:0:2::1"),
    ("2001:db8:0:1::1", "2002:db8:0:1::1"),
    // Not an IPv4 client, though it ends like one.
    ("192.0.2.1", "::fffe:192.0.2.1"),
    ("192.0.2.1", "::192.0.2.1"),
    ("192.0.2.1", "64:ff9b::192.0.2.1"),
    // The same bits, in the other family.
    ("192.0.2.1", "c000:201::1"),
    ("0.0.0.0", "::"),
    ("1.0.0.0", "0:0:0:1::"),
    ("0.0.0.1", "::1"),
  ])
  func `two clients`(one: String, other: String) throws {
    #expect(try address(one).countedAs != address(other).countedAs)
  }

  private func address(_ text: String, port: UInt16 = 80) throws -> ClientAddress {
    var storage = sockaddr_storage()
    let code = withUnsafeMutableBytes(of: &storage) { bytes in
      if text.contains(":") {
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port
        // Which interface or flow it came by says nothing about the client.
        address.sin6_flowinfo = UInt32(port)
        address.sin6_scope_id = UInt32(port)
        let code = inet_pton(AF_INET6, text, &address.sin6_addr)
        bytes.storeBytes(of: address, as: sockaddr_in6.self)
        return code
      }
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port
      let code = inet_pton(AF_INET, text, &address.sin_addr)
      bytes.storeBytes(of: address, as: sockaddr_in.self)
      return code
    }
    try #require(code == 1)
    return ClientAddress(storage).countedAs
  }
}
