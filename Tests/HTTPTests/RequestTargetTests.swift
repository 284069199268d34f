import HTTP
import Testing

@Suite struct RequestTargetTests {
  @Test(arguments: [
    ("/", nil, "/", nil),
    ("/v1/x", nil, "/v1/x", nil),
    ("/v1/x?", nil, "/v1/x", ""),
    ("/v1/x?a=1?b", nil, "/v1/x", "a=1?b"),
    ("?a=1", nil, "/", "a=1"),
    ("/a?u=http://b/c", nil, "/a", "u=http://b/c"),
    ("http://example.com:8080/a/b?c=d", "example.com:8080", "/a/b", "c=d"),
    ("https://[::1]:8443/a", "[::1]:8443", "/a", nil),
    ("HTTP://Example.COM/a", "Example.COM", "/a", nil),
    ("http://example.com", "example.com", "/", nil),
    ("http://example.com?a=/b", "example.com", "/", "a=/b"),
    ("/http://example.com/", nil, "/http://example.com/", nil),
    ("/%E4%BD%A0?%3F=%26", nil, "/%E4%BD%A0", "%3F=%26"),
    ("*", nil, "*", nil),
  ])
  func `a target is taken apart and stays encoded`(
    raw: String, authority: String?, path: String, query: String?
  ) {
    let target = RequestTarget(raw)
    #expect(target.authority == authority)
    #expect(target.path == path)
    #expect(target.query == query)
  }

  @Test(arguments: [
    ("/", [""]),
    ("/healthz", ["healthz"]),
    ("/v1/conversations/conv_1", ["v1", "conversations", "conv_1"]),
    ("/a/", ["a", ""]),
    ("//a", ["", "a"]),
    ("/a%2Fb/c", ["a/b", "c"]),
    ("/a%2fb", ["a/b"]),
    ("/%25%32%46", ["%2F"]),
    ("/%63onv%5F1", ["conv_1"]),
    ("/a+b", ["a+b"]),
    ("/%E4%BD%A0/%f0%9f%98%80", ["你", "😀"]),
    ("/a%00b", ["a\0b"]),
    ("/..%2f./%2e%2e", ["../.", ".."]),
    ("/%3F%23%20", ["?# "]),
    ("/a?b/c", ["a"]),
    ("http://h/a%2Fb", ["a/b"]),
    ("/e%CC%81", ["e\u{301}"]),
  ])
  func `a path is decoded segment by segment`(raw: String, segments: [String]) throws {
    let decoded = try RequestTarget(raw).pathSegments()
    #expect(decoded.map { Array($0.utf8) } == segments.map { Array($0.utf8) })
  }

  @Test(arguments: [
    ("xhealthz", ["xhealthz"]),
    ("xv1/conversations", ["xv1", "conversations"]),
    ("example.com:80", ["example.com:80"]),
    ("*", ["*"]),
  ])
  func `what does not start with a slash keeps its first character`(
    raw: String, segments: [String]
  ) throws {
    #expect(Array(try RequestTarget(raw).pathSegments()) == segments)
  }

  @Test(arguments: [
    ("/a/%", "%"),
    ("/a/%/b", "%"),
    ("/%4", "%4"),
    ("/%zz", "%zz"),
    ("/%4g", "%4g"),
    ("/%g4", "%g4"),
    ("/%+1", "%+1"),
    ("/%-1", "%-1"),
    ("/% 1", "% 1"),
    ("/%%41", "%%4"),
    ("/%é", "%é"),
    ("/ok/a%FFb/%zz", "a%FFb"),
    ("/%C3", "%C3"),
    ("/%C3/%A9", "%C3"),
    ("/%C0%AF", "%C0%AF"),
    ("/%ED%A0%80", "%ED%A0%80"),
    ("/%F4%90%80%80", "%F4%90%80%80"),
    ("/%4é", "%4"),
    ("/%你", "%"),
  ])
  func `a broken or non-UTF-8 sequence in a path is named`(raw: String, sequence: String) {
    let error = #expect(throws: PercentDecodingError.self) {
      _ = try RequestTarget(raw).pathSegments()
    }
    #expect(error?.sequence == sequence)
    #expect(error?.parameter == nil)
  }

  @Test(arguments: ["/%4é", "/%é4", "/%a\u{301}", "/%\u{FF11}\u{FF12}", "/%4😀"])
  func `a percent sign before a character that is not a digit is refused`(raw: String) {
    #expect(throws: PercentDecodingError.self) { _ = try RequestTarget(raw).pathSegments() }
  }

  @Test(arguments: [
    ("", []),
    ("a=1", ["a", "1"]),
    ("a=1&b=2&a=3", ["a", "1", "b", "2", "a", "3"]),
    ("a", ["a", ""]),
    ("a=", ["a", ""]),
    ("=b", ["", "b"]),
    ("=", ["", ""]),
    ("&&a=1&", ["a", "1"]),
    ("a=b=c", ["a", "b=c"]),
    ("a+b=c+d", ["a b", "c d"]),
    ("a%2Bb=c%2bd", ["a+b", "c+d"]),
    ("a%3Db=%26&c=%20", ["a=b", "&", "c", " "]),
    ("metadata%5Buser%5D=u1", ["metadata[user]", "u1"]),
    ("metadata[a%5Db]=1", ["metadata[a]b]", "1"]),
    ("metadata[user][]=a&metadata[user][]=b", ["metadata[user][]", "a", "metadata[user][]", "b"]),
    ("k=%E4%BD%A0%00", ["k", "你\0"]),
    ("k=a/b?c", ["k", "a/b?c"]),
    ("k=你", ["k", "你"]),
    ("k=%2525", ["k", "%25"]),
  ])
  func `a query is decoded name by name and value by value`(query: String, flat: [String]) throws {
    let parameters = try RequestTarget("/x?\(query)").queryParameters()
    #expect(parameters.flatMap { [$0.name, $0.value] } == flat)
  }

  @Test func `a target without a question mark has no parameters`() throws {
    #expect(try RequestTarget("/x").queryParameters().isEmpty)
  }

  @Test(arguments: [
    ("a=1&b=%zz", "%zz", "b"),
    ("b=%", "%", "b"),
    ("b=1%2", "%2", "b"),
    ("b=x%FFy&c=1", "x%FFy", "b"),
    ("metadata%5Bk%5D=%C3", "%C3", "metadata[k]"),
    ("a+b=%G0", "%G0", "a b"),
    ("=%", "%", ""),
    ("%zz=1", "%zz", nil),
    ("a%FF=%zz", "a%FF", nil),
  ])
  func `a value that cannot be decoded is named with its parameter`(
    query: String, sequence: String, parameter: String?
  ) {
    let error = #expect(throws: PercentDecodingError.self) {
      _ = try RequestTarget("/x?\(query)").queryParameters()
    }
    #expect(error?.sequence == sequence)
    #expect(error?.parameter == parameter)
  }

  @Test func `a fault in the query does not spoil the path`() throws {
    #expect(Array(try RequestTarget("/a?b=%zz").pathSegments()) == ["a"])
  }
}
