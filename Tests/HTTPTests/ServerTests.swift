import Glibc
import HTTP
import HTTPTypes
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct ServerTests {
  @Test func `a handler gets the request as it was sent`() async throws {
    let record = Record()
    try await withServer(handler: record.echo) { port in
      let connection = try RawConnection(port: port)
      connection.send(
        "PATCH /a%2Fb?c=%26 HTTP/1.1\r\nHost: x\r\nX-One: 1\r\nx-two: a\r\nX-TWO:   b \r\n"
          + "Content-Length: 2\r\n\r\nhi")
      #expect(try connection.receive().text == "PATCH /a%2Fb?c=%26 hi")
    }
    let request = try #require(record.requests.first)
    #expect(record.requests.count == 1)
    #expect(request.method == .patch)
    let names = request.headers.map(\.name.rawName)
    #expect(names == ["Host", "X-One", "x-two", "X-TWO", "Content-Length"])
    #expect(
      request.headers.filter { $0.name == HTTPField.Name("x-two")! }.map(\.value) == ["a", "b"])
    #expect(request.bytes == Array("hi".utf8))
  }

  @Test func `an answer has the status, fields and content of the handler`() async throws {
    let content: [UInt8] = [0, 1, 0xFF, 0]
    try await withServer { _ in
      var response = Response(status: .init(code: 418, reasonPhrase: ""), body: content)
      response.headers[.init("X-Odd")!] = "a, b"
      return response
    } client: { port in
      let answer = try RawConnection(port: port).get("/")
      #expect(answer.status == 418)
      #expect(answer.body == content)
      #expect(answer.headers["x-odd"] == "a, b")
      #expect(answer.headers["content-length"] == "4")
      #expect(answer.headers["date"] != nil)
      #expect(answer.headers["connection"] != "close")
    }
  }

  @Test func `the fields of an answer are sent in their order, each in a line`() async throws {
    try await withServer { _ in
      var headers: HeaderFields = [.contentType: "a/b", .eTag: "\"é\"", .vary: "a"]
      headers.append(HTTPField.Name("X-Empty")!, "")
      headers.append(.vary, "b\r\nX-Made-Up: 1")
      return Response(status: .ok, headers: headers)
    } client: { port in
      let connection = try RawConnection(port: port)
      connection.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      let fields =
        "\r\nContent-Type: a/b\r\nETag: \"é\"\r\nVary: a\r\nX-Empty: \r\n"
        + "Vary: b  X-Made-Up: 1\r\n"
      #expect(try connection.receiveAll().contains(fields))
    }
  }

  @Test(arguments: [[:], [.age: ""], [.age: "1"]] as [HeaderFields])
  func `an answer may have no field, or one`(headers: HeaderFields) async throws {
    try await withServer { _ in
      Response(status: .ok, headers: headers)
    } client: { port in
      let answer = try RawConnection(port: port).get("/")
      #expect(answer.status == 200)
      #expect(answer.headers["age"] ?? "" == headers[.age] ?? "")
    }
  }

  @Test func `an answer that is ready is sent without a task`() async throws {
    let socket = try ListeningSocket(host: "127.0.0.1", port: 0)
    let port = socket.port
    let server = try Server(on: socket, configuration: .init(eventLoops: 1)) { request in
      // Nobody waits for a task on the event loop's own thread.
      withUnsafeCurrentTask { task in
        .ready(.text("\(request.target.path) \(task == nil)"))
      }
    }
    try await onOwnThread {
      let connection = try RawConnection(port: port)
      for path in ["/1", "/2"] { #expect(try connection.get(path).text == "\(path) true") }
    }
    #expect(await server.stop(within: .seconds(90)))
  }

  @Test func `an answer of 3 MB arrives whole`() async throws {
    let content = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
    try await withServer { _ in
      Response(status: .ok, body: content)
    } client: { port in
      let answer = try RawConnection(port: port).get("/")
      #expect(answer.body == content)
    }
  }

  @Test(arguments: ["get", "Get", "PURGE", "M-SEARCH", "PROPFIND"])
  func `any method reaches the handler as sent`(method: String) async throws {
    try await withServer { port in
      let connection = try RawConnection(port: port)
      connection.send("\(method) / HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(try connection.receive().text == "\(method) / ")
    }
  }

  @Test func `HEAD has the length of the content and not the content`() async throws {
    try await withServer { port in
      let connection = try RawConnection(port: port)
      connection.send("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n")
      let head = try connection.receive(hasBody: false)
      #expect(head.status == 200)
      #expect(head.headers["content-length"] == "\("HEAD /a ".utf8.count)")
      // Were there content, it would stand before this answer.
      #expect(try connection.get("/b").text == "GET /b ")
    }
  }

  @Test func `one connection serves many requests`() async throws {
    try await withServer { port in
      let connection = try RawConnection(port: port)
      for number in 1...100 {
        #expect(try connection.get("/\(number)").text == "GET /\(number) ")
        connection.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n\(100 + number)")
        #expect(try connection.receive().text == "POST / \(100 + number)")
      }
    }
  }

  @Test(arguments: [true, false])
  func `requests sent in one write are answered in order`(suspends: Bool) async throws {
    try await withServer { request in
      if suspends { await Task.yield() }
      return await echo(request)
    } client: { port in
      let connection = try RawConnection(port: port)
      let requests = (1...50).map { number in
        number.isMultiple(of: 2)
          ? "GET /\(number) HTTP/1.1\r\nHost: x\r\n\r\n"
          : "POST /\(number) HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nGET "
      }
      connection.send(requests.joined())
      for number in 1...50 {
        let expected = number.isMultiple(of: 2) ? "GET /\(number) " : "POST /\(number) GET "
        #expect(try connection.receive().text == expected)
      }
    }
  }

  @Test func `a connection that asks for it is closed after the answer`() async throws {
    try await withServer { port in
      let connection = try RawConnection(port: port)
      connection.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      #expect(try connection.receive().headers["connection"]?.lowercased() == "close")
      #expect(try connection.receiveAll() == "")
    }
  }

  @Test func `HTTP 1_0 without keep-alive is answered and closed`() async throws {
    try await withServer { port in
      let connection = try RawConnection(port: port)
      connection.send("GET /old HTTP/1.0\r\n\r\n")
      #expect(try connection.receive().text == "GET /old ")
      #expect(try connection.receiveAll() == "")
    }
  }

  @Test(arguments: ["DELETE", "GET", "POST", "PUT", "PATCH"])
  func `a content type without content is answered at once`(method: String) async throws {
    let record = Record()
    try await withServer(handler: record.echo) { port in
      let connection = try RawConnection(port: port)
      for number in 1...3 {
        connection.send(
          "\(method) /\(number) HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\r\n")
        #expect(try connection.receive().text == "\(method) /\(number) ")
      }
    }
    #expect(record.requests.map(\.bytes) == [[], [], []])
  }

  @Test func `bytes of a target that are not UTF-8 arrive percent-encoded`() async throws {
    let record = Record()
    try await withServer(handler: record.echo) { port in
      let connection = try RawConnection(port: port)
      for target in [
        Array("/é/".utf8) + [0xFF, 0x80], Array("/?a=".utf8) + [0xC3], Array("/é?ü".utf8),
        [UInt8(ascii: "/"), 0xED, 0xA0, 0x80],
      ] {
        connection.send("GET ")
        connection.send(target)
        connection.send(" HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try connection.receive().status == 200)
      }
    }
    let targets = record.requests.map(\.target)
    #expect(
      targets.map { $0.path.lowercased() } == ["/%c3%a9/%ff%80", "/", "/é", "/%ed%a0%80"])
    #expect(targets.map { $0.query?.lowercased() } == [nil, "a=%c3", "ü", nil])
    #expect(throws: PercentDecodingError.self) { _ = try targets[0].pathSegments() }
    #expect(throws: PercentDecodingError.self) { _ = try targets[1].queryParameters() }
  }

  @Test func `bytes of a field that are not UTF-8 do not spoil the others`() async throws {
    let record = Record()
    try await withServer(handler: record.echo) { port in
      let connection = try RawConnection(port: port)
      connection.send("GET / HTTP/1.1\r\nHost: x\r\nX-Odd: a")
      connection.send([0xFF, 0xC3])
      connection.send("z\r\nX-Name: é\r\n\r\n")
      #expect(try connection.receive().status == 200)
    }
    let headers = try #require(record.requests.first).headers
    #expect(headers[.init("X-Name")!] == "é")
    #expect(headers[.init("X-Odd")!]?.hasPrefix("a") == true)
  }

  @Test func `an absolute target is served with its own authority`() async throws {
    let record = Record()
    try await withServer(handler: record.echo) { port in
      let answer = try RawConnection(port: port).get("http://a.example:81/b?c")
      #expect(answer.text == "GET /b?c ")
    }
    #expect(record.requests.first?.target.authority == "a.example:81")
  }

  @Test(arguments: [
    "", "GET /", "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhell",
  ])
  func `a silent connection is closed after the idle timeout`(text: String) async throws {
    try await withServer(configuration: .init(idleTimeoutSeconds: 1)) { port in
      for leaves in [false, true] {
        let connection = try RawConnection(port: port)
        connection.send(text)
        // An end along with the last bytes is not seen until then.
        if leaves { connection.finishSending() }
        let answer = try connection.receiveAll()
        #expect(answer.isEmpty || answer.hasSuffix("GET / "))
      }
    }
  }

  @Test(arguments: [1, 2, 5])
  func `any number of event loops serves`(eventLoops: Int) async throws {
    try await withServer(configuration: .init(eventLoops: eventLoops)) { port in
      let connections = try (1...20).map { _ in try RawConnection(port: port) }
      for connection in connections { connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n") }
      for connection in connections { #expect(try connection.receive().status == 200) }
    }
  }
}
