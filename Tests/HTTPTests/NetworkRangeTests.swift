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

  @Test(arguments: ["", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0/8", "a", "1.2.3.4/+8"])
  func `what is no network`(text: String) {
    #expect(NetworkRange(text) == nil)
  }
}
