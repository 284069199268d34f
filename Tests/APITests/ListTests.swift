import Logging
import Repository
import SQLite
import SQLiteStore
import TestSupport
import Testing

/// The pages of a list (contract, section 6); what a query finds is in `APICase.lists`, its errors
/// are in `APICase.listErrors`.
@Suite struct ListTests {
  /// Creates conversations, several in one second, and deletes some of them again.
  ///
  /// - Returns: The ids in the order of creation, and the bodies of those that are left.
  private func fill(
    _ service: Service, _ clock: TestClock, count: Int, deleting: Set<Int>
  ) async throws -> (ids: [String], bodies: [String: String]) {
    var ids: [String] = []
    var bodies: [String: String] = [:]
    for number in 0..<count {
      if number.isMultiple(of: 2) { clock.seconds += 1 }
      let answer = try await service.create(#"{"metadata":{"n":"\#(number)"}}"#)
      ids.append(answer.id)
      bodies[answer.id] = answer.body
    }
    for number in deleting {
      #expect(
        try await service.send("DELETE", "/v1/conversations/\(ids[number])").status == 200)
      bodies[ids[number]] = nil
    }
    return (ids, bodies)
  }

  private func page(_ ids: some Collection<String>, _ bodies: [String: String], hasMore: Bool)
    -> String
  {
    let data = ids.map { bodies[$0]! }.joined(separator: ",")
    let ends = [ids.first, Array(ids).last].map { id in id.map { "\"\($0)\"" } ?? "null" }
    return #"{"object":"list","data":[\#(data)],"first_id":\#(ends[0]),"#
      + #""has_more":\#(hasMore),"last_id":\#(ends[1])}"#
  }

  /// Each place as a cursor, also that of a conversation that is deleted.
  @Test(arguments: ["asc", "desc"])
  func `every page between any two cursors, of any size, is exact`(order: String) async throws {
    let clock = TestClock()
    let service = try Service(.inProcess, now: { clock.seconds })
    let (created, bodies) = try await fill(service, clock, count: 7, deleting: [1, 4])
    let ids = order == "asc" ? created : created.reversed()
    for after in -1..<7 {
      for before in 0...7 {
        for limit in 1...6 {
          var query = "order=\(order)&limit=\(limit)"
          if after >= 0 { query += "&after=\(ids[after])" }
          if before < 7 { query += "&before=\(ids[before])" }
          let between = after + 1 < before ? ids[(after + 1)..<before] : []
          let found = between.filter { bodies[$0] != nil }
          // Only `before` alone asks for those nearest to its end.
          let shown = after < 0 && before < 7 ? found.suffix(limit) : found.prefix(limit)
          let answer = try await service.send("GET", "/v1/conversations?\(query)")
          #expect(
            answer.body == page(shown, bodies, hasMore: found.count > limit), "\(query)")
        }
      }
    }
  }

  @Test(arguments: ["", "?order=asc"], [1, 20, 100])
  func `the default is the newest 20, and a page can have 100`(
    order: String, limit: Int
  ) async throws {
    let clock = TestClock()
    let service = try Service(
      .inProcess, settings: .init(synchronous: .normal), now: { clock.seconds })
    let (created, bodies) = try await fill(service, clock, count: 101, deleting: [])
    let ids = order.isEmpty ? created.reversed() : created
    let query =
      limit == 20 ? order : order + (order.isEmpty ? "?" : "&") + "limit=\(limit)"
    let answer = try await service.send("GET", "/v1/conversations\(query)")
    #expect(answer.body == page(ids.prefix(limit), bodies, hasMore: true))
  }

  @Test func `a range of times takes whole seconds`() async throws {
    let clock = TestClock()
    let service = try Service(.inProcess, now: { clock.seconds })
    let start = clock.seconds
    // Two a second: the seconds start + 1 to start + 4.
    let (ids, bodies) = try await fill(service, clock, count: 8, deleting: [])
    for (range, expected) in [
      ("created_at[gte]=\(start + 2)", 2..<8), ("created_at[gt]=\(start + 2)", 4..<8),
      ("created_at[lte]=\(start + 2)", 0..<4), ("created_at[lt]=\(start + 2)", 0..<2),
      ("created_at[gt]=\(start + 1)&created_at[lt]=\(start + 4)", 2..<6),
      ("created_at[gte]=\(start + 3)&created_at[lte]=\(start + 3)", 4..<6),
      ("created_at[gte]=\(start + 2)&after=\(ids[4])", 5..<8),
      ("created_at[gte]=\(start + 4)&after=\(ids[4])", 6..<8),
      ("created_at[lte]=\(start + 2)&before=\(ids[7])", 0..<4),
      ("created_at[lte]=\(start + 4)&before=\(ids[3])", 0..<3),
    ] {
      let answer = try await service.send("GET", "/v1/conversations?order=asc&\(range)")
      #expect(answer.body == page(ids[expected], bodies, hasMore: false), "\(range)")
    }
  }

  @Test(arguments: [
    "UPDATE metadata SET value = CAST(x'ff' AS TEXT) WHERE conversation = 3",
    "UPDATE metadata SET key = CAST(x'c3' AS TEXT) WHERE conversation = 3",
  ])
  func `what cannot be shown is left out and logged, and the others are shown`(
    sql: String
  ) async throws {
    let log = LogRecorder()
    let clock = TestClock()
    let service = try Service(.inProcess, log: log, now: { clock.seconds })
    let (ids, bodies) = try await fill(service, clock, count: 5, deleting: [])
    try service.outsider().execute(sql)
    let words = "left out of a list: what is stored of some conversations is not valid"
    for (query, expected, hasMore) in [
      ("", [4, 3, 1, 0], false), ("order=asc", [0, 1, 3, 4], false),
      ("limit=3", [4, 3, 1], true), ("limit=2&order=asc&after=\(ids[0])", [1, 3], true),
      ("limit=2&before=\(ids[1])", [4, 3], false), ("after=\(ids[2])", [1, 0], false),
    ] {
      let before = log.events(words).count
      let answer = try await service.send("GET", "/v1/conversations?\(query)")
      #expect(answer.status == 200)
      #expect(answer.body == page(expected.map { ids[$0] }, bodies, hasMore: hasMore), "\(query)")
      let logged = log.events(words).dropFirst(before)
      let isThere = !query.hasPrefix("after")
      #expect(logged.map { $0.metadata["ids"] } == (isThere ? ["\(ids[2])"] : []), "\(query)")
      #expect(
        logged.allSatisfy {
          $0.level == .error && $0.metadata["count"] == "1"
            && $0.metadata["request_id"] == .string(answer.headers["x-request-id"] ?? "")
        })
    }
  }

  @Test(arguments: [("limit=2&order=asc", [0, 1]), ("limit=1&before=", [1])])
  func `there is no more when nothing is left that can be shown`(
    query: String, expected: [Int]
  ) async throws {
    let clock = TestClock()
    let service = try Service(.inProcess, now: { clock.seconds })
    let (ids, bodies) = try await fill(service, clock, count: 4, deleting: [])
    try service.outsider().execute(
      "UPDATE metadata SET value = CAST(x'ff' AS TEXT) WHERE conversation > 2")
    let cursor = query.hasSuffix("=") ? ids[0] : ""
    let answer = try await service.send("GET", "/v1/conversations?\(query)\(cursor)")
    #expect(answer.body == page(expected.map { ids[$0] }, bodies, hasMore: false))
  }

  @Test func `another project's conversations are not seen, and their ids are places`()
    async throws
  {
    let clock = TestClock()
    let service = try Service(.inProcess, now: { clock.seconds })
    let (ids, bodies) = try await fill(service, clock, count: 2, deleting: [])
    let foreign = "conv_" + String(clock.seconds + 1, radix: 16) + String(repeating: "0", count: 40)
    try service.outsider().execute(
      """
      INSERT INTO projects (number, name) VALUES (2, 'other');
      INSERT INTO conversations (number, project, id, created_at)
        VALUES (3, 2, '\(foreign)', \(clock.seconds + 1));
      INSERT INTO metadata (conversation, project, key, value) VALUES (3, 2, 'n', '0');
      """)
    clock.seconds += 2
    let (more, moreBodies) = try await fill(service, clock, count: 2, deleting: [])
    let all = bodies.merging(moreBodies) { $1 }

    for (query, expected) in [
      ("", ids + more), ("&metadata[n]=0", [ids[0], more[0]]), ("&metadata_exists[]=n", ids + more),
      ("&metadata_absent[]=x", ids + more), ("&after=\(foreign)", more),
      ("&before=\(foreign)", ids),
    ] {
      let answer = try await service.send("GET", "/v1/conversations?order=asc\(query)")
      #expect(answer.body == page(expected, all, hasMore: false), "\(query)")
    }
    #expect(try await service.send("GET", "/v1/conversations/\(foreign)").status == 404)
  }
}
