import Conversations
import Repository
import SQLite
import SQLiteStore
import TestSupport
import Testing

/// What an ETag stands for (contract, section 7), in several steps; the rows of single requests are
/// `APICase.preconditions`.
@Suite struct EntityTagTests {
  @Test func `the ETag changes with every change, and comes back with the content`() async throws {
    let service = try Service(.inProcess)
    let path = try await service.create().path
    var tags: [[UInt8]: Set<String>] = [:]
    // The same letters in other places are another content.
    for (method, metadata) in [
      ("POST", "{}"), ("POST", #"{"a":"bc"}"#), ("POST", #"{"ab":"c"}"#), ("POST", #"{"abc":""}"#),
      ("POST", #"{"":"abc"}"#), ("POST", #"{"a":"b","c":""}"#), ("POST", #"{"a":"","b":"c"}"#),
      ("POST", "{\"\u{E9}\":\"\"}"), ("POST", "{\"e\u{301}\":\"\"}"), ("PATCH", "null"),
      ("PATCH", #"{"a":"b"}"#), ("PATCH", #"{"c":""}"#), ("PATCH", #"{"a":null,"c":null}"#),
      ("PATCH", #"{"a":"bc"}"#), ("PATCH", #"{"a":"bc"}"#), ("POST", #"{"c":"","a":"b"}"#),
    ] {
      let answer = try await service.send(method, path, json: #"{"metadata":\#(metadata)}"#)
      #expect(answer.status == 200)
      tags[Array(answer.body.utf8), default: []].insert(answer.eTag)
      let read = try await service.send("GET", path)
      #expect(read.eTag == answer.eTag)
      #expect(read.body == answer.body)
    }
    #expect(tags.values.allSatisfy { $0.count == 1 })
    #expect(Set(tags.values).count == tags.count)
  }

  @Test func `two conversations with the same metadata have two ETags`() async throws {
    let service = try Service(.inProcess)
    let first = try await service.create(#"{"metadata":{"a":"1"}}"#)
    let second = try await service.create(#"{"metadata":{"a":"1"}}"#)
    #expect(first.eTag != second.eTag)
  }

  @Test(arguments: [
    "UPDATE metadata SET value = '2'", "UPDATE metadata SET key = 'b'", "DELETE FROM metadata",
    "INSERT INTO metadata (conversation, key, value) VALUES (1, 'b', '')",
  ])
  func `the ETag also changes when somebody else changes the rows`(sql: String) async throws {
    let service = try Service(.inProcess)
    let created = try await service.create(#"{"metadata":{"a":"1"}}"#)
    try service.outsider().execute(sql)

    let read = try await service.send("GET", created.path)
    #expect(read.eTag != created.eTag)
    for (method, json) in [("POST", #"{"metadata":{}}"#), ("PATCH", "{}"), ("DELETE", "")] {
      let refused = try await service.send(
        method, created.path, headers: [("If-Match", created.eTag)], json: json)
      #expect(refused.status == 412)
      #expect(try await service.send("GET", created.path).body == read.body)
    }
    let deleted = try await service.send(
      "DELETE", created.path, headers: [("If-Match", read.eTag)])
    #expect(deleted.status == 200)
  }

  @Test func `a conversation that cannot be shown matches no ETag, and still matches *`()
    async throws
  {
    let service = try Service(.inProcess)
    let created = try await service.create(#"{"metadata":{"a":"1","b":"2"}}"#)
    try service.outsider().execute(
      "UPDATE metadata SET value = CAST(x'ff' AS TEXT) WHERE key = 'b'")
    for (method, json) in [("POST", #"{"metadata":{}}"#), ("PATCH", "{}"), ("DELETE", "")] {
      let refused = try await service.send(
        method, created.path, headers: [("If-Match", created.eTag)], json: json)
      #expect(refused.status == 412)
    }
    // What a patch keeps would have to be read.
    let patch = try await service.send("PATCH", created.path, json: #"{"metadata":{"b":null}}"#)
    #expect(patch.status == 500)
    #expect(try APIErrorBody(patch.body).message.contains(created.id))

    let cleared = try await service.send(
      "PATCH", created.path, headers: [("If-Match", "*")], json: #"{"metadata":null}"#)
    #expect(cleared.status == 200)
    #expect(try await service.send("GET", created.path).eTag == cleared.eTag)
  }

  @Test func `after a 304 the connection goes on with the next answer`() async throws {
    let service = try Service(.socket)
    let created = try await service.create(#"{"metadata":{"a":"1"}}"#)
    let port = service.port
    try await onOwnThread {
      let connection = try RawConnection(port: port)
      for method in ["GET", "HEAD"] {
        connection.send(
          "\(method) \(created.path) HTTP/1.1\r\nHost: localhost\r\n"
            + "If-None-Match: \(created.eTag)\r\n\r\n")
        #expect(try connection.receive(hasBody: false).status == 304)
      }
      connection.send("GET \(created.path) HTTP/1.1\r\nHost: localhost\r\n\r\n")
      let read = try connection.receive()
      #expect(read.status == 200)
      #expect(read.text == created.body)
    }
    await service.stop()
  }

  @Test(arguments: Service.Transport.allCases)
  func `of many changes of the same content at once, one succeeds`(
    transport: Service.Transport
  ) async throws {
    let service = try Service(transport)
    let created = try await service.create()
    let statuses = try await withThrowingTaskGroup { group in
      for client in 0..<16 {
        group.addTask {
          try await service.send(
            client.isMultiple(of: 2) ? "POST" : "PATCH", created.path,
            headers: [("If-Match", created.eTag)], json: #"{"metadata":{"by":"\#(client)"}}"#
          ).status
        }
      }
      return try await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }
    #expect(statuses == [200: 1, 412: 15])
    await service.stop()
  }

  @Test func `whoever reads, changes and repeats after a 412 loses nobody's change`() async throws {
    let service = try Service(.inProcess)
    let path = try await service.create(#"{"metadata":{"count":"0"}}"#).path
    try await withThrowingTaskGroup { group in
      for _ in 0..<8 {
        group.addTask {
          for _ in 0..<5 { try await increment(path, service) }
        }
      }
      try await group.waitForAll()
    }
    #expect(try await service.send("GET", path).body.hasSuffix(#""metadata":{"count":"40"}}"#))
  }

  /// Adds one to the count, as often as it takes.
  private func increment(_ path: String, _ service: Service) async throws {
    while true {
      let read = try await service.send("GET", path)
      let match = try #require(read.body.firstMatch(of: /"count":"([0-9]+)"/))
      let count = try #require(Int(match.output.1))
      let answer = try await service.send(
        "POST", path, headers: [("If-Match", read.eTag)],
        json: #"{"metadata":{"count":"\#(count + 1)"}}"#)
      if answer.status == 200 { return }
      try #require(answer.status == 412)
    }
  }
}
