import Logging
import Repository

/// One setting: its name, what it may be, and what it is when nobody says.
///
/// `config/conversationd.yaml` documents each, and the README lists them; a test compares the three.
struct Setting: Sendable {
  /// The name in the configuration file; `http.port` is `CONVERSATIOND_HTTP_PORT` in the environment.
  let key: String
  let kind: Kind
  let defaultValue: String

  enum Kind: Sendable {
    case text
    /// Text that may be empty, which switches off what it is for.
    case optionalText
    /// Origins of web pages, separated by spaces; may be empty.
    case origins
    case choice([String])
    case integer(ClosedRange<Int>)
  }

  static let host = Setting(key: "http.host", kind: .text, defaultValue: "127.0.0.1")
  static let port = Setting(key: "http.port", kind: .integer(0...65535), defaultValue: "8080")
  static let eventLoops = Setting(
    key: "http.event_loops", kind: .integer(0...64), defaultValue: "0")
  static let connectionsMax = Setting(
    key: "http.connections_max", kind: .integer(1...100_000), defaultValue: "2048")
  static let idleTimeoutSeconds = Setting(
    key: "http.idle_timeout_seconds", kind: .integer(1...3600), defaultValue: "60")
  static let bodyBytesMax = Setting(
    key: "http.body_bytes_max", kind: .integer(1024...67_108_864), defaultValue: "1048576")
  static let connectionsPerAddressMax = Setting(
    key: "http.connections_per_address_max", kind: .integer(0...100_000), defaultValue: "0")
  static let requestTimeoutSeconds = Setting(
    key: "http.request_timeout_seconds", kind: .integer(1...3600), defaultValue: "30")
  static let headerBytesMax = Setting(
    key: "http.header_bytes_max", kind: .integer(4096...1_048_576), defaultValue: "32768")
  static let requestsPerMinuteMax = Setting(
    key: "http.requests_per_minute_max", kind: .integer(0...10_000_000), defaultValue: "0")
  static let corsOrigins = Setting(
    key: "http.cors_origins", kind: .origins, defaultValue: "")
  static let openMetrics = Setting(
    key: "http.open_metrics", kind: .choice(["true", "false"]), defaultValue: "false")
  static let insecureHTTP = Setting(
    key: "http.insecure", kind: .choice(["true", "false"]), defaultValue: "false")
  static let certificate = Setting(
    key: "tls.certificate", kind: .optionalText, defaultValue: "")
  static let privateKey = Setting(
    key: "tls.private_key", kind: .optionalText, defaultValue: "")
  static let bodiesBytesMax = Setting(
    key: "http.bodies_bytes_max", kind: .integer(1024...1_099_511_627_776),
    defaultValue: "67108864")
  static let databasePath = Setting(
    key: "database.path", kind: .text, defaultValue: "conversations.db")
  static let synchronous = Setting(
    key: "database.synchronous",
    kind: .choice(Repository.Settings.Synchronous.allCases.map(\.rawValue)), defaultValue: "full")
  static let busyTimeoutMilliseconds = Setting(
    key: "database.busy_timeout_milliseconds", kind: .integer(0...60_000), defaultValue: "5000")
  static let waitingWritesMax = Setting(
    key: "database.waiting_writes_max", kind: .integer(1...100_000), defaultValue: "4096")
  static let queryThreads = Setting(
    key: "database.query_threads", kind: .integer(1...64), defaultValue: "2")
  static let queryTimeoutMilliseconds = Setting(
    key: "database.query_timeout_milliseconds", kind: .integer(1...60_000), defaultValue: "2000")
  static let idempotencySeconds = Setting(
    key: "database.idempotency_seconds", kind: .integer(1...31_536_000), defaultValue: "86400")
  static let logLevel = Setting(
    key: "log.level", kind: .choice(Logger.Level.allCases.map(\.rawValue)), defaultValue: "info")
  static let logFormat = Setting(
    key: "log.format", kind: .choice(["text", "json"]), defaultValue: "text")
  static let logRequests = Setting(
    key: "log.requests", kind: .choice(["true", "false"]), defaultValue: "true")

  /// Every setting, in the order of the example file.
  static let all = [
    host, port, insecureHTTP, eventLoops, connectionsMax, connectionsPerAddressMax,
    idleTimeoutSeconds, requestTimeoutSeconds, headerBytesMax, bodyBytesMax, bodiesBytesMax,
    requestsPerMinuteMax, corsOrigins, openMetrics,
    certificate, privateKey,
    databasePath, synchronous, busyTimeoutMilliseconds, waitingWritesMax,
    queryThreads, queryTimeoutMilliseconds, idempotencySeconds,
    logLevel, logFormat, logRequests,
  ]

  /// The name of the environment variable that sets it.
  var environmentName: String {
    Self.environmentPrefix
      + key.uppercased().map { $0 == "." ? "_" : String($0) }.joined()
  }

  /// What the names of all of our environment variables begin with.
  static let environmentPrefix = "CONVERSATIOND_"

  /// - Returns: What is wrong with a value; nil when it may be used.
  func complaint(about value: String) -> String? {
    switch kind {
    case .text:
      return value.isEmpty ? "must not be empty" : nil
    case .optionalText:
      return nil
    case .origins:
      let wrong = Self.words(value).first { !Self.isOrigin($0) }
      return wrong.map {
        "must be origins such as 'https://app.example.com', separated by spaces, not '\($0)'"
      }
    case .choice(let choices):
      return choices.contains(value)
        ? nil : "must be one of \(choices.joined(separator: ", ")), not '\(value)'"
    case .integer(let range):
      let isInside = Int(value).map(range.contains) ?? false
      return isInside
        ? nil : "must be an integer from \(range.lowerBound) to \(range.upperBound), not '\(value)'"
    }
  }

  /// What stands between spaces.
  static func words(_ value: String) -> [String] {
    value.split(separator: " ").map(String.init)
  }

  /// Whether it is an origin as browsers write it (RFC 6454, section 6.2), who compare it byte for
  /// byte: in lower case, and without the port that the scheme has anyway.
  private static func isOrigin(_ word: String) -> Bool {
    let form = /https?:\/\/([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?/
    let hasNeedlessPort =
      word.hasPrefix("https:") ? word.hasSuffix(":443") : word.hasSuffix(":80")
    return word.wholeMatch(of: form) != nil && !hasNeedlessPort
  }
}
