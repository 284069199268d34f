import Conversations
import HTTP
import Repository
import Testing

@testable import API
@testable import SQLiteStore

/// What is counted, and how it is written; `Tests/sdk/test_metrics.py` reads it with a real parser.
@Suite struct MetricsTests {
  @Test(
    arguments: [
      (-1.0, [1, 0, 0]), (0, [1, 0, 0]), (1, [1, 0, 0]), (1.0.nextUp, [0, 1, 0]), (10, [0, 1, 0]),
      (10.0.nextUp, [0, 0, 1]), (1e9, [0, 0, 1]),
    ] as [(Double, [Int])])
  func `a value is counted under the least bound that it does not pass`(
    value: Double, counts: [Int]
  ) {
    var histogram = Histogram(bounds: [1, 10])
    histogram.add(value)
    #expect(histogram.counts == counts)
    #expect(histogram.count == 1)
    #expect(histogram.sum == value)
  }

  @Test func `a counter and a gauge are written with their words and labels`() {
    var text = MetricsText()
    text.begin("things_total", .counter, "Things that came.")
    text.sample(labels: [("kind", "a"), ("route", "/v1/{id}")], 3)
    text.sample(labels: [("kind", "b"), ("route", "none")], 0)
    text.begin("left", .gauge, "Things that are left.")
    text.sample(Int.max)
    #expect(
      text.text == """
        # HELP conversationd_things_total Things that came.
        # TYPE conversationd_things_total counter
        conversationd_things_total{kind="a",route="/v1/{id}"} 3
        conversationd_things_total{kind="b",route="none"} 0
        # HELP conversationd_left Things that are left.
        # TYPE conversationd_left gauge
        conversationd_left 9223372036854775807

        """)
  }

  @Test func `a label is escaped also where an accent follows`() {
    var text = MetricsText()
    text.begin("things_total", .counter, "Things.")
    text.sample(labels: [("name", "a\"\u{308}\\\u{301}")], 1)
    #expect(text.text.contains("{name=\"a\\\"\u{308}\\\\\u{301}\"} 1"))
    #expect(text.text.unicodeScalars.count { $0 == "\\" } == 3)
  }

  @Test func `a histogram is written with sums of its counts`() {
    var histogram = Histogram(bounds: [0.5, 2])
    for value in [0.25, 0.5, 1, 4] { histogram.add(value) }
    var text = MetricsText()
    text.begin("size", .histogram, "Sizes.")
    text.histogram(histogram, labels: [("kind", "a")])
    text.histogram(Histogram(bounds: [1]))
    #expect(
      text.text == """
        # HELP conversationd_size Sizes.
        # TYPE conversationd_size histogram
        conversationd_size_bucket{kind="a",le="0.5"} 2
        conversationd_size_bucket{kind="a",le="2.0"} 3
        conversationd_size_bucket{kind="a",le="+Inf"} 4
        conversationd_size_sum{kind="a"} 5.75
        conversationd_size_count{kind="a"} 4
        conversationd_size_bucket{le="1.0"} 0
        conversationd_size_bucket{le="+Inf"} 0
        conversationd_size_sum 0.0
        conversationd_size_count 0

        """)
  }

  @Test(arguments: [false, true])
  func `a group of writes is counted, also when nothing of it was stored`(
    isStored: Bool
  ) async throws {
    let service = try Service(.inProcess)
    let metrics = Metrics()
    metrics.record(
      WriteGroup(
        waits: [.milliseconds(1), .milliseconds(300), .seconds(20)], commit: .milliseconds(60),
        isStored: isStored))
    let text = String(
      decoding: metrics.text(
        connections: ConnectionCounts().values, repository: service.repository.state),
      as: UTF8.self)
    for line in [
      #"write_group_size_bucket{le="2.0"} 0"#, #"write_group_size_bucket{le="4.0"} 1"#,
      "write_group_size_sum 3.0", #"write_wait_seconds_bucket{le="0.0005"} 0"#,
      #"write_wait_seconds_bucket{le="0.001"} 1"#, #"write_wait_seconds_bucket{le="0.5"} 2"#,
      #"write_wait_seconds_bucket{le="10.0"} 2"#, #"write_wait_seconds_bucket{le="+Inf"} 3"#,
      #"write_commit_seconds_bucket{le="0.05"} 0"#, #"write_commit_seconds_bucket{le="0.1"} 1"#,
      "write_groups_failed_total \(isStored ? 0 : 1)",
    ] {
      #expect(text.contains("\nconversationd_\(line)\n"))
    }
  }

  @Test func `keys beyond a thousand share one series`() throws {
    var requests = KeyRequests()
    for number in 1...Int64(KeyRequests.keysMax) + 5 {
      for _ in 1...2 {
        requests.add(
          Access(
            project: .default, projectName: "p", rights: .readWrite, keyNumber: number,
            keyName: "k\(number % 999)"))
      }
    }
    requests.add(.withoutKey)
    var text = MetricsText()
    requests.write(to: &text)
    let lines = text.text.split(separator: "\n").dropFirst(2)
    // Two pairs of keys have the same name.
    #expect(lines.count == 999 + 1)
    #expect(lines.contains(#"conversationd_key_requests_total{project="p",key="k1"} 4"#))
    #expect(lines.contains(#"conversationd_key_requests_total{project="p",key="k2"} 2"#))
    #expect(lines.contains(#"conversationd_key_requests_total{project="",key=""} 10"#))
  }

  @Test func `nothing is lost when many are counted at the same time`() async throws {
    let service = try Service(.inProcess)
    let (clients, requests) = (8, 200)
    await withTaskGroup { group in
      for _ in 0..<clients {
        group.addTask { @concurrent in
          for _ in 0..<requests { _ = try? await service.send("GET", "/nope") }
        }
      }
    }
    let text = try await service.send("GET", "/metrics").body
    let total = clients * requests
    for line in [
      #"http_requests_total{route="none",method="GET",status="404"} \#(total)"#,
      #"http_request_duration_seconds_count{route="none"} \#(total)"#,
      #"rejected_total{reason="not_found"} \#(total)"#,
    ] {
      #expect(text.contains("\nconversationd_\(line)\n"))
    }
  }

  @Test(arguments: [
    ("/v1/conversations", "/v1/conversations"),
    ("/v1/conversations/conv_x", "/v1/conversations/{conversation_id}"),
    ("/healthz", "/healthz"), ("/nope", "none"),
  ])
  func `a browser's question is counted under the route that it asks about`(
    path: String, route: String
  ) async throws {
    let page = "https://app.example.com"
    let service = try Service(
      .inProcess, apiSettings: API.Settings(corsOrigins: [page], hasOpenMetrics: true))
    for hasKey in [false, true] {
      if hasKey { _ = try service.makeKey() }
      let answer = try await service.send(
        "OPTIONS", path,
        headers: [("Origin", page), ("Access-Control-Request-Method", "GET")])
      #expect(answer.status == 204)
    }
    let text = try await service.send("GET", "/metrics").body
    let lines = text.split(separator: "\n").map(String.init)
    #expect(
      lines.filter { $0.contains(#"method="OPTIONS""#) } == [
        #"conversationd_http_requests_total{route="\#(route)",method="OPTIONS",status="204"} 2"#
      ])
    #expect(
      lines.contains(
        #"conversationd_http_request_duration_seconds_count{route="\#(route)"} 2"#))
  }

  @Test(arguments: AnswerKind.all)
  func `every answer is counted once, and every error has a reason`(kind: AnswerKind) async throws {
    let service = try Service(
      .inProcess,
      apiSettings: API.Settings(
        requestsPerMinuteMax: AnswerKind.requestsPerMinuteMax, hasOpenMetrics: true))
    let before = try await service.counts()
    _ = try await kind.provoke(service)
    let after = try await service.counts()
    // The scrape before is counted too.
    #expect(after.requests - before.requests == 1 + kind.requestsBefore + 1)
    #expect(after.rejections - before.rejections == (kind.status >= 400 ? 1 : 0))
  }
}

extension Service {
  fileprivate func counts() async throws -> (requests: Int, rejections: Int) {
    let lines = try await send("GET", "/metrics").body.split(separator: "\n")
    func sum(_ name: String) -> Int {
      lines.filter { $0.hasPrefix("conversationd_\(name){") }
        .reduce(0) { $0 + (Int($1.split(separator: " ").last!) ?? 0) }
    }
    return (sum("http_requests_total"), sum("rejected_total"))
  }
}
