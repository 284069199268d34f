import HTTPTypes
import Repository
import SQLite
import SQLiteStore
import TestSupport
import Testing

@testable import API

/// What belongs to one project is unknown to another's keys, on every route.
@Suite struct ProjectTests {
  private static let list = "/v1/conversations"

  /// A service with two keys of two projects.
  private struct Tenants {
    let service: Service
    let ours: String
    let theirs: String

    init(ours: String = "ours", now: @escaping @Sendable () -> Int64 = UnixTime.seconds)
      throws
    {
      service = try Service(.inProcess, now: now)
      self.ours = try service.makeKey("ours", project: ours)
      theirs = try service.makeKey("theirs", project: "theirs")
    }

    func create(
      _ key: String, _ json: String = "{}", idempotencyKey: String? = nil
    ) async throws -> Service.Answer {
      let headers = idempotencyKey.map { [("Idempotency-Key", $0)] } ?? []
      return try await service.send(
        "POST", ProjectTests.list, key: key, headers: headers, json: json)
    }

    func list(_ key: String, _ query: String) async throws -> Service.Answer {
      let answer = try await service.send("GET", "\(ProjectTests.list)?\(query)", key: key)
      #expect(answer.status == 200, "\(query)")
      return answer
    }
  }

  // MARK: One conversation

  /// What is sent to a conversation that one does not have; `{etag}` stands for its ETag.
  struct Attempt: Sendable, CustomTestStringConvertible {
    let method: String
    let headers: [(name: String, value: String)]
    let json: String
    let status: Int

    var testDescription: String { "\(method) \(headers) \(json)" }
  }

  private static let attempts: [Attempt] = {
    let requests: [(method: String, json: String, status: Int)] = [
      ("GET", "", 404), ("HEAD", "", 404), ("DELETE", "", 404),
      ("POST", #"{"metadata":{"a":"2"}}"#, 404), ("POST", #"{"metadata":{"a":"1"}}"#, 404),
      ("POST", #"{"metadata":null}"#, 404), ("POST", "{", 400), ("POST", "{}", 400),
      ("PATCH", #"{"metadata":{"a":null}}"#, 404), ("PATCH", "{}", 404),
      ("PATCH", #"{"x":1}"#, 400),
    ]
    let conditions: [[(name: String, value: String)]] = [
      [], [("If-Match", "*")], [("If-Match", "{etag}")], [("If-Match", "\"0\"")],
      [("If-None-Match", "*")], [("If-None-Match", "{etag}")],
    ]
    return requests.flatMap { request in
      conditions.map {
        Attempt(method: request.method, headers: $0, json: request.json, status: request.status)
      }
    }
  }()

  @Test func `everything that a conversation's route does is attempted`() throws {
    let route = try #require(Route.all.first { $0.path == "\(Self.list)/{conversation_id}" })
    let methods = Set(route.operations.map(\.method.rawValue))
    #expect(Set(Self.attempts.map(\.method)) == methods.union(["HEAD"]))
    // Lists and creation are below, keys, values and counts in FacetTests, items in
    // Tests/sdk/test_items.py, export and import in Tests/sdk/test_transfer.py, the history in
    // Tests/sdk/test_metadata_history.py. A new route that has conversations needs tests of its
    // own.
    let paths = Route.all.map(\.path).filter { $0.hasPrefix("/v1/") }
    #expect(
      paths == [
        Self.list, "\(Self.list)/metadata_keys", "\(Self.list)/metadata_values",
        "\(Self.list)/count", route.path, "\(route.path)/items",
        "\(route.path)/items/{item_id}", "\(route.path)/metadata_history",
        "\(route.path)/metadata_history/{version}/restore", "/v1/me", "/v1/api_keys",
        "/v1/api_keys/{name}", "/v1/export", "/v1/import",
      ])
  }

  @Test(arguments: attempts, ["default", "ours"])
  func `another project's conversation is answered like one that never was`(
    attempt: Attempt, project: String
  ) async throws {
    let tenants = try Tenants(ours: project)
    let service = tenants.service
    let theirs = try await tenants.create(tenants.theirs, #"{"metadata":{"a":"1"}}"#)
    #expect(theirs.status == 200)
    let unknown = "conv_" + String(repeating: "0", count: 48)
    let headers = attempt.headers.map { ($0.name, $0.value.replacing("{etag}", with: theirs.eTag)) }
    func send(to id: String) async throws -> Service.Answer {
      try await service.send(
        attempt.method, "\(Self.list)/\(id)", key: tenants.ours, headers: headers,
        json: attempt.json)
    }

    let answer = try await send(to: theirs.id)
    #expect(answer.status == attempt.status)
    let other = try await send(to: unknown)
    #expect(answer.status == other.status)
    #expect(answer.body.replacing(theirs.id, with: unknown) == other.body)
    #expect(Set(answer.headers.keys) == Set(other.headers.keys))
    #expect(answer.headers["etag"] == nil)
    if answer.status == 404, attempt.method != "HEAD" {
      #expect(
        try APIErrorBody(answer.body).message
          == "Conversation with id '\(theirs.id)' not found.")
    }

    // And nothing has happened to it.
    let after = try await service.send("GET", theirs.path, key: tenants.theirs)
    #expect(after.body == theirs.body)
    #expect(after.eTag == theirs.eTag)
  }

  @Test func `each works with its own as if there were no other`() async throws {
    let tenants = try Tenants()
    for key in [tenants.ours, tenants.theirs] {
      let created = try await tenants.create(key, #"{"metadata":{"a":"1"}}"#)
      for (method, json, metadata) in [
        ("GET", "", #"{"a":"1"}"#), ("POST", #"{"metadata":{"b":"2"}}"#, #"{"b":"2"}"#),
        ("PATCH", #"{"metadata":{"c":"3"}}"#, #"{"b":"2","c":"3"}"#),
      ] {
        let answer = try await tenants.service.send(method, created.path, key: key, json: json)
        #expect(answer.status == 200)
        #expect(answer.body.hasSuffix(#""metadata":\#(metadata)}"#))
      }
      #expect(
        try await tenants.service.send("DELETE", created.path, key: key).status == 200)
      #expect(try await tenants.service.send("GET", created.path, key: key).status == 404)
    }
  }

  @Test func `keys of one project share all that it has`() async throws {
    let tenants = try Tenants()
    let service = tenants.service
    let created = try await tenants.create(tenants.ours, idempotencyKey: "i")
    let second = try service.makeKey("second", project: "ours")
    try service.revokeKey("ours")
    #expect(try await service.send("GET", created.path, key: second).body == created.body)
    #expect(try await tenants.list(second, "").ids == [created.id])
    let again = try await tenants.create(second, idempotencyKey: "i")
    #expect(again.body == created.body)
    #expect(again.headers["idempotent-replayed"] == "true")
    #expect(try await service.send("DELETE", created.path, key: second).status == 200)
  }

  @Test func `what was stored without a key is the default project's`() async throws {
    let service = try Service(.inProcess)
    let stored = try await service.create(#"{"metadata":{"a":"1"}}"#)
    let other = try service.makeKey("other", project: "other")
    #expect(try await service.send("GET", stored.path, key: other).status == 404)
    #expect(try await service.send("GET", Self.list, key: other).ids == [])
    let own = try service.makeKey("own", project: "default")
    #expect(try await service.send("GET", stored.path, key: own).body == stored.body)
    #expect(try await service.send("GET", Self.list, key: own).ids == [stored.id])
  }

  // MARK: Lists

  /// Makes eight conversations, by turns of either project, the first one ours, the first three in
  /// one second, and the next three in the next.
  ///
  /// - Returns: Their ids.
  private func fill(_ tenants: Tenants, _ clock: TestClock) async throws -> [String] {
    var ids: [String] = []
    for turn in 0..<8 {
      if turn.isMultiple(of: 3) { clock.seconds += 1 }
      let answer = try await tenants.create(
        turn.isMultiple(of: 2) ? tenants.ours : tenants.theirs,
        #"{"metadata":{"a":"1","turn":"\#(turn)"}}"#)
      #expect(answer.status == 200)
      ids.append(answer.id)
    }
    return ids
  }

  @Test(
    arguments: [
      ("", 4, 4), ("order=asc", 4, 4), ("limit=1", 1, 1), ("limit=100", 4, 4),
      ("metadata[a]=1", 4, 4), ("metadata[a]=2", 0, 0), ("metadata[a][]=1&metadata[a][]=2", 4, 4),
      ("metadata[turn]=1", 0, 1), ("metadata[turn]=2", 1, 0),
      ("metadata[turn][]=1&metadata[turn][]=2", 1, 1), ("metadata[a]=1&metadata[turn]=3", 0, 1),
      ("metadata_exists[]=turn", 4, 4), ("metadata_absent[]=turn", 0, 0),
      ("metadata_absent[]=b", 4, 4), ("metadata_exists[]=a&metadata[a]=1&limit=2", 2, 2),
      ("created_at[gte]=0", 4, 4), ("created_at[gt]={first}&created_at[lte]={last}", 2, 3),
      ("created_at[lte]={first}", 2, 1),
    ], [true, false])
  func `a list and a query find what is one's own, and has_more speaks of nothing else`(
    query: (text: String, ours: Int, theirs: Int), isOurs: Bool
  ) async throws {
    let clock = TestClock()
    let tenants = try Tenants(now: { clock.seconds })
    let first = clock.seconds + 1
    let ids = try await fill(tenants, clock)
    let text = query.text.replacing("{first}", with: "\(first)")
      .replacing("{last}", with: "\(clock.seconds)")
    let (key, other) = isOurs ? (tenants.ours, tenants.theirs) : (tenants.theirs, tenants.ours)
    let others = ids.indices.filter { $0.isMultiple(of: 2) != isOurs }.map { ids[$0] }

    let answer = try await tenants.list(key, text)
    #expect(answer.ids.count == (isOurs ? query.ours : query.theirs))
    #expect(others.allSatisfy { !answer.body.contains($0) })
    // It is the same when the others' were never there, and when there are more of them.
    for id in others {
      let path = "\(Self.list)/\(id)"
      #expect(try await tenants.service.send("DELETE", path, key: other).status == 200)
    }
    #expect(try await tenants.list(key, text).body == answer.body)
    for _ in 0..<8 { _ = try await tenants.create(other, #"{"metadata":{"a":"1"}}"#) }
    #expect(try await tenants.list(key, text).body == answer.body)
  }

  /// Each place as a cursor, also that of a conversation that is deleted.
  @Test(arguments: ["asc", "desc"], [1, 2, 100])
  func `the other project's ids are places in a list and nothing more`(
    order: String, limit: Int
  ) async throws {
    let clock = TestClock()
    let tenants = try Tenants(now: { clock.seconds })
    let created = try await fill(tenants, clock)
    let deleted = Set([created[2], created[3]])
    for (id, key) in [(created[2], tenants.ours), (created[3], tenants.theirs)] {
      _ = try await tenants.service.send("DELETE", "\(Self.list)/\(id)", key: key)
    }
    let places = order == "asc" ? created : created.reversed()
    for (key, parity) in [(tenants.ours, 0), (tenants.theirs, 1)] {
      let own = Set(created.indices.filter { $0 % 2 == parity }.map { created[$0] })
        .subtracting(deleted)
      for (place, id) in places.enumerated() {
        for condition in ["", "&metadata[a]=1"] {
          let query = "order=\(order)&limit=\(limit)\(condition)"
          let after = places[(place + 1)...].filter(own.contains)
          let next = try await tenants.list(key, "\(query)&after=\(id)")
          #expect(next.ids == Array(after.prefix(limit)))
          #expect(next.body.contains(#""has_more":\#(after.count > limit),"#))

          let before = places[..<place].filter(own.contains)
          let previous = try await tenants.list(key, "\(query)&before=\(id)")
          #expect(previous.ids == Array(before.suffix(limit)))
          #expect(previous.body.contains(#""has_more":\#(before.count > limit),"#))
        }
      }
    }
  }

  // MARK: Idempotency keys

  /// What another project did under the key changes nothing, with the same body or another.
  @Test(arguments: [
    (#"{"metadata":{"a":"1"}}"#, #"{"metadata":{"a":"1"}}"#),
    (#"{"metadata":{"a":"1"}}"#, #"{"metadata":{"a":"2"}}"#), ("{}", ""),
  ])
  func `each project has its own records of idempotency keys`(
    ourJSON: String, theirJSON: String
  ) async throws {
    let tenants = try Tenants()
    let service = tenants.service
    let ours = try await tenants.create(tenants.ours, ourJSON, idempotencyKey: "i")
    let theirs = try await tenants.create(tenants.theirs, theirJSON, idempotencyKey: "i")
    for answer in [ours, theirs] {
      #expect(answer.status == 200)
      #expect(answer.headers["idempotent-replayed"] == nil)
    }
    #expect(ours.id != theirs.id)

    func expectRecords(of key: String, _ first: Service.Answer, _ json: String) async throws {
      let again = try await tenants.create(key, json, idempotencyKey: "i")
      #expect(again.headers["idempotent-replayed"] == "true")
      #expect(again.body == first.body)
      #expect(again.eTag == first.eTag)
      let reused = try await tenants.create(
        key, #"{"metadata":{"a":"3"}}"#, idempotencyKey: "i")
      #expect(reused.errorCode == "idempotency_key_reused")
    }
    try await expectRecords(of: tenants.ours, ours, ourJSON)
    try await expectRecords(of: tenants.theirs, theirs, theirJSON)
    #expect(try service.outsider().integer("SELECT count(*) FROM conversations") == 2)

    // A record goes with its own conversation alone.
    #expect(try await service.send("DELETE", theirs.path, key: tenants.theirs).status == 200)
    try await expectRecords(of: tenants.ours, ours, ourJSON)
    let new = try await tenants.create(tenants.theirs, theirJSON, idempotencyKey: "i")
    #expect(new.headers["idempotent-replayed"] == nil)
    #expect(![ours.id, theirs.id].contains(new.id))
  }
}
