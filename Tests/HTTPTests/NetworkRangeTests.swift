import HTTP
import Testing

@Suite struct NetworkRangeTests {
  @Test(arguments: [
    ("192.0.2.1", "192.0.2.1"), ("10.0.0.0/8", "10.255.0.1"), ("0.0.0.0/0", "1.2.3.4"),
    ("10.0.0.0/8", "::ffff:10.1.2.3"), ("2001:db8::/32", "2001:db8:ffff::1"), ("::/0", "::1"),
    ("::/0", "192.0.2.1"), ("10.1.2.3/8", "10.9.9.9"),
  ])
  func `an address in a network`(network: String, address: String) throws {
    #expect(try #require(NetworkRange(network)).contains(#require(ClientAddress(address))))
  }

  @Test(arguments: [
    ("192.0.2.1", "192.0.2.2"), ("10.0.0.0/8", "11.0.0.1"), ("0.0.0.0/0", "::1"),
    ("2001:db8::/32", "2001:db9::1"), ("10.0.0.0/8", "::10.0.0.1"),
  ])
  func `an address that is not in a network`(network: String, address: String) throws {
    #expect(try !#require(NetworkRange(network)).contains(#require(ClientAddress(address))))
  }

  @Test func `no other network has the Unix sockets in it`() throws {
    let unix = try #require(NetworkRange("unix"))
    #expect(try !unix.contains(#require(ClientAddress("127.0.0.1"))))
    #expect(try !unix.contains(#require(ClientAddress("::"))))
  }

  @Test(arguments: [
    ("0.0.0.0:1", true), ("192.0.2.1:1", true), ("[::]:1", true), ("[2001:db8::1]:1", true),
    ("127.0.0.1:1", false), ("127.9.9.9:1", false), ("[::1]:1", false), ("localhost:1", false),
    ("unix:/a", false),
  ])
  func `addresses that reach other machines`(text: String, isReached: Bool) throws {
    #expect(try #require(ListenAddress(text)).isKnownToReachOtherMachines == isReached)
  }

  @Test(arguments: [
    "unix/8", "UNIX", "", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0/8", "a", "1.2.3.4/+8",
  ])
  func `what is no network`(text: String) {
    #expect(NetworkRange(text) == nil)
  }
}
