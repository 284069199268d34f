import HTTP
import HTTPTypes
import TestSupport
import Testing

/// What could be one request for a proxy and two for a server (RFC 9112, section 11.2), and what
/// libmicrohttpd refuses by itself.
@Suite(.timeLimit(.minutes(1))) struct AmbiguousRequestTests {
  private static let inside = "GET /inside HTTP/1.1\r\nHost: x\r\n\r\n"
  private static let count = inside.utf8.count

  private static let ambiguousFields = [
    "Content-Length: 0\r\nContent-Length: \(count)",
    "Content-Length: \(count)\r\nContent-Length: 0",
    "Content-Length: 0\r\nContent-Length: 0",
    "Content-Length: 0\r\nX-Other: 1\r\ncontent-length: 1",
    "Content-Length: \(count)\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 0",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding\t: chunked",
    "Content-Length : \(count)",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: \"chunked\"",
    "Transfer-Encoding:",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\ntransfer-encoding: identity",
  ]

  @Test(arguments: ambiguousFields, ["POST", "GET", "DELETE"])
  func `a request whose end is ambiguous is refused, and the connection closed`(
    fields: String, method: String
  ) async throws {
    let record = Record()
    try await withServer(handler: record.echo) { port in
      let connection = try RawConnection(port: port)
      connection.send("\(method) / HTTP/1.1\r\nHost: x\r\n\(fields)\r\n\r\n")
      connection.send("0\r\n\r\n\(Self.inside)")
      let answer = try connection.receive()
      #expect(answer.status == 400)
      #expect(answer.text == "ambiguous")
      #expect(answer.headers["connection"]?.lowercased() == "close")
      #expect(try connection.receiveAll() == "")
    }
    #expect(record.paths == ["/"])
    #expect(record.requests.first?.isAmbiguous == true)
  }

  @Test(arguments: ambiguousFields)
  func `a second request in the same write does not reach the handler`(
    fields: String
  ) async throws {
    let record = Record()
    try await withServer { request in
      record.append(request)
      await Task.yield()
      return await echo(request)
    } client: { port in
      let connection = try RawConnection(port: port)
      connection.send("POST / HTTP/1.1\r\nHost: x\r\n\(fields)\r\n\r\n\(Self.inside)")
      #expect(try connection.receive().status == 400)
      #expect(try connection.receiveAll() == "")
    }
    #expect(record.paths == ["/"])
  }

  @Test(arguments: [
    "Content-Length: +5", "Content-Length: -1", "Content-Length: 0x5", "Content-Length: 5, 5",
    "Content-Length: five", "Content-Length: 5 5", "Content-Length: 1e1",
    "Content-Length: 18446744073709551616", "Content-Length: 99999999999999999999999",
  ])
  func `a length that is no number is refused, and the connection closed`(
    field: String
  ) async throws {
    let record = Record()
    try await withServer(handler: record.echo) { port in
      let connection = try RawConnection(port: port)
      connection.send("POST /outside HTTP/1.1\r\nHost: x\r\n\(field)\r\n\r\nhello\(Self.inside)")
      let text = try connection.receiveAll()
      #expect(text.hasPrefix("HTTP/1.1 400 ") || text.hasPrefix("HTTP/1.1 413 "))
    }
    #expect(record.paths == [])
  }

  @Test(arguments: [
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nX-Other: x\r\n\r\n",
    "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    "GET / HTTX/1.1\r\nHost: x\r\n\r\n",
    "GET /\r\nHost: x\r\n\r\n",
    "GET\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
    "GET /\(String(repeating: "a", count: 50_000)) HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /?\(String(repeating: "a=1&", count: 10_000)) HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nX-Long: \(String(repeating: "a", count: 50_000))\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\n\(String(repeating: "X-Many: a\r\n", count: 4000))\r\n",
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloworld\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      + "FFFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
  ])
  func `what is no request does not reach the handler`(text: String) async throws {
    let record = Record()
    try await withServer(handler: record.echo) { port in
      let connection = try RawConnection(port: port)
      connection.send(text)
      connection.finishSending()
      let answer = try connection.receiveAll()
      #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 4") || answer.hasPrefix("HTTP/1.1 5"))
      #expect(try RawConnection(port: port).get("/next").status == 200)
    }
    #expect(record.paths == ["/next"])
  }

  @Test func `a request without Host is refused with 400`() async throws {
    try await withServer { port in
      let connection = try RawConnection(port: port)
      connection.send("GET / HTTP/1.1\r\n\r\n")
      #expect(try connection.receive().status == 400)
    }
  }
}
