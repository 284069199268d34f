import HTTP
import HTTPTypes
import TestSupport
import Testing

/// How the content of a request is received.
@Suite(.timeLimit(.minutes(1))) struct ContentTests {
  /// How much of a request with a limit of 1000 is read at all.
  private static let droppedMax = 1000 + (8 << 20)
  private static let content = (0..<5000).map { UInt8(truncatingIfNeeded: $0) }

  @Test(arguments: [1, 7, 1000, 5000])
  func `content in pieces arrives whole`(pieceCount: Int) async throws {
    let record = Record()
    try await withServer(handler: record.echo) { port in
      let connection = try RawConnection(port: port)
      connection.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n")
      var rest = Self.content[...]
      while !rest.isEmpty {
        connection.send(rest.prefix(pieceCount))
        rest = rest.dropFirst(pieceCount)
      }
      #expect(try connection.receive().status == 200)
    }
    #expect(record.requests.map(\.bytes) == [Self.content])
  }

  @Test func `a request sent byte by byte is answered`() async throws {
    try await withServer { port in
      let connection = try RawConnection(port: port)
      let request = "PUT /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
      for byte in request.utf8 { connection.send([byte]) }
      #expect(try connection.receive().text == "PUT /slow hello")
    }
  }

  @Test(arguments: [
    "5\r\nhello\r\n0\r\n\r\n",
    "1\r\nh\r\n4\r\nello\r\n0\r\n\r\n",
    "5;name=value\r\nhello\r\n0\r\n\r\n",
    "0005\r\nhello\r\n000\r\n\r\n",
    "5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n",
  ])
  func `chunks are put together`(chunks: String) async throws {
    try await withServer { port in
      let connection = try RawConnection(port: port)
      for _ in 1...2 {
        connection.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n")
        connection.send(chunks)
        #expect(try connection.receive().text == "POST / hello")
      }
      for byte in "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\(chunks)".utf8 {
        connection.send([byte])
      }
      #expect(try connection.receive().text == "POST / hello")
    }
  }

  @Test func `a client that expects it is told to go on`() async throws {
    try await withServer { port in
      let connection = try RawConnection(port: port)
      connection.send(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
      #expect(try connection.receive().status == 100)
      connection.send("hi")
      #expect(try connection.receive().text == "POST / hi")
    }
  }

  @Test(arguments: [0, 1, 999, 1000])
  func `content up to the limit is taken`(count: Int) async throws {
    let record = Record()
    try await withServer(configuration: .init(bodyBytesMax: 1000), handler: record.echo) { port in
      let connection = try RawConnection(port: port)
      connection.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \(count)\r\n\r\n")
      connection.send(Self.content.prefix(count))
      #expect(try connection.receive().status == 200)
      connection.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
      connection.sendChunks(Self.content.prefix(count), of: 300)
      #expect(try connection.receive().status == 200)
    }
    #expect(record.requests.map { $0.bytes?.count } == [count, count])
    #expect(record.requests.allSatisfy { $0.bytes == Array(Self.content.prefix(count)) })
  }

  @Test(arguments: ["POST", "PUT", "PATCH", "DELETE", "GET"])
  func `a length past the limit is refused before the content`(method: String) async throws {
    let record = Record()
    try await withServer(configuration: .init(bodyBytesMax: 1000), handler: record.echo) { port in
      for expect in ["", "Expect: 100-continue\r\n"] {
        let connection = try RawConnection(port: port)
        connection.send(
          "\(method) / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\(expect)\r\n")
        let answer = try connection.receive()
        #expect(answer.status == 413)
        #expect(answer.text == "at most 1000")
        #expect(answer.headers["connection"]?.lowercased() == "close")
        connection.send("GET /inside HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try connection.receiveAll() == "")
      }
    }
    #expect(record.paths == ["/", "/"])
  }

  @Test(arguments: [
    "1001", "001001", "4294967296", "9223372036854775807", "9223372036854775808",
    "18446744073709551615", "18446744073709551616",
  ])
  func `any length past the limit is refused before the content`(length: String) async throws {
    try await withServer(configuration: .init(bodyBytesMax: 1000)) { port in
      let connection = try RawConnection(port: port)
      connection.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \(length)\r\n\r\n")
      #expect(try connection.receive().status == 413)
    }
  }

  @Test(arguments: [true, false])
  func `a client that sends 3 MB without waiting reads the refusal`(
    suspends: Bool
  ) async throws {
    try await withServer(configuration: .init(bodyBytesMax: 1 << 20)) { request in
      if suspends { await Task.yield() }
      return await echo(request)
    } client: { port in
      for _ in 1...10 {
        let connection = try RawConnection(port: port)
        connection.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n")
        let isSent = connection.send([UInt8](repeating: 0x61, count: 3_000_000))
        #expect(isSent)
        #expect(try connection.receive().status == 413)
      }
    }
  }

  @Test func `chunks past the limit are dropped, then refused`() async throws {
    let record = Record()
    try await withServer(configuration: .init(bodyBytesMax: 1000), handler: record.echo) { port in
      let connection = try RawConnection(port: port)
      for count in [1001, 2_000_000] {
        connection.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sendChunks([UInt8](repeating: 0x61, count: count), of: 100_000)
        #expect(try connection.receive().status == 413)
      }
      #expect(try connection.get("/next").text == "GET /next ")
    }
    #expect(record.requests.map { $0.bytes == nil } == [true, true, false])
  }

  @Test func `chunks past what is dropped close the connection`() async throws {
    let record = Record()
    try await withServer(configuration: .init(bodyBytesMax: 1000), handler: record.echo) { port in
      for (count, isAnswered) in [(Self.droppedMax, true), (Self.droppedMax + 1, false)] {
        let connection = try RawConnection(port: port)
        connection.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sendChunks([UInt8](repeating: 0x61, count: count), of: 1 << 20)
        if isAnswered {
          #expect(try connection.receive().status == 413)
        } else {
          #expect(try connection.receiveAll() == "")
        }
      }
    }
    #expect(record.requests.count == 1)
  }
}

extension RawConnection {
  /// Sends content in chunks, and the last chunk.
  fileprivate func sendChunks(_ content: some Collection<UInt8>, of chunkCount: Int) {
    var rest = Array(content)[...]
    while !rest.isEmpty {
      let chunk = rest.prefix(chunkCount)
      send("\(String(chunk.count, radix: 16))\r\n")
      send(chunk)
      send("\r\n")
      rest = rest.dropFirst(chunkCount)
    }
    send("0\r\n\r\n")
  }
}
