import API
import Conversations
import Foundation
import Logging
import Repository
import SQLiteStore
import Synchronization
import Testing

/// Keeps what is logged.
final class LogRecorder: LogHandler, Sendable {
  private let lines = Mutex<[(level: Logger.Level, text: String, metadata: Logger.Metadata)]>([])
  var metadata: Logger.Metadata {
    get { [:] }
    set {}
  }
  var logLevel: Logger.Level {
    get { .trace }
    set {}
  }
  subscript(metadataKey _: String) -> Logger.Metadata.Value? {
    get { nil }
    set {}
  }

  func log(event: LogEvent) {
    lines.withLock { $0.append((event.level, "\(event.message)", event.metadata ?? [:])) }
  }

  func events(_ message: String) -> [(level: Logger.Level, metadata: Logger.Metadata)] {
    lines.withLock { $0.filter { $0.text == message }.map { ($0.level, $0.metadata) } }
  }

  var everything: String { lines.withLock { "\($0)" } }
}

@Suite struct LogTests {
  @Test func `a request gets one line, without its query and its values`() async throws {
    let log = LogRecorder()
    let service = try Service(.inProcess, log: log)
    let answer = try await service.send(
      "POST", "/v1/conversations",
      headers: [
        ("X-Client-Request-Id", "mine 1"), ("Authorization", "Bearer sk-secret"),
        ("Host", "localhost"),
      ], body: Array(#"{"metadata":{"hidden-key":"hidden-value"}}"#.utf8))
    _ = try await service.send("GET", "/nope%0A\u{1B}[31m?hidden-query=1")
    _ = try await service.send("GET", "/v1/conversations?metadata[hidden-key]=hidden-value")
    _ = try await service.send("GET", "/v1/conversations?metadata[hidden-key]=%00&limit=x")

    let lines = log.events("request")
    #expect(lines.count == 4)
    #expect(lines[0].level == .info)
    #expect(lines[0].metadata["method"] == "POST")
    #expect(lines[0].metadata["path"] == "/v1/conversations")
    #expect(lines[0].metadata["status"]?.description == "200")
    #expect(lines[0].metadata["request_id"] == "\(answer.headers["x-request-id"]!)")
    #expect(lines[0].metadata["client_request_id"] == "mine%201")
    let milliseconds = try #require(lines[0].metadata["milliseconds"]).description
    #expect(milliseconds.wholeMatch(of: /[0-9]+\.[0-9]{1,3}/) != nil)
    #expect(lines[1].metadata["path"] == "/nope%0A%1b[31m")
    #expect(lines[1].metadata["status"]?.description == "404")
    #expect(lines[2].metadata["path"] == "/v1/conversations")
    #expect(lines[3].metadata["code"] == "invalid_value")
    #expect(!log.everything.contains("hidden"))
    #expect(!log.everything.contains("secret"))
  }

  @Test(arguments: [String(repeating: "x", count: 513), "caf\u{E9}", ""])
  func `a client's id that may not stand in a log is left away`(id: String) async throws {
    let log = LogRecorder()
    let service = try Service(.inProcess, log: log)
    _ = try await service.send("GET", "/healthz", headers: [("X-Client-Request-Id", id)])
    #expect(log.events("request").map { $0.metadata["client_request_id"] } == [nil])
  }

  @Test func `request lines can be left away, the cause of a 5xx cannot`() async throws {
    let log = LogRecorder()
    let service = try Service(.inProcess, log: log, apiSettings: API.Settings(logsRequests: false))
    _ = try await service.send("GET", "/healthz")
    await service.repository.close()
    let answer = try await service.send("POST", "/v1/conversations")

    #expect(log.events("request").isEmpty)
    let failures = log.events("request failed")
    #expect(failures.count == 1)
    #expect(failures[0].level == .error)
    #expect(failures[0].metadata["request_id"] == "\(answer.headers["x-request-id"]!)")
    #expect("\(failures[0].metadata["cause"]!)".contains("closed"))
  }
}
