import API
import CProcess
import Conversations
import HTTP
import Logging
import PostgreSQL
import PostgreSQLStore
import Repository
import SQLiteStore

/// One setting: its name, what it may be, what it is when nobody says, and what it sets.
///
/// Each is declared once, in `all`. `config/conversationd.yaml` and `docs/settings.md` explain them;
/// tests hold both to this list.
struct Setting: Sendable {
  /// The name in the configuration file; `http.port` is `CONVERSATIOND_HTTP_PORT` in the environment.
  let key: String
  /// What its value may be.
  let kind: Kind
  /// What it is when no layer says.
  let defaultValue: String
  /// The flag of `conversationd serve` that sets it, if there is one.
  let flag: String?
  /// Whether SIGHUP changes it in a server that runs.
  let isReloadable: Bool
  /// Puts a value that `complaint` found nothing wrong with where it is used.
  let apply: @Sendable (Value, inout Settings) -> Void

  enum Kind: Sendable {
    case text
    /// A path. In the configuration file a relative one starts at the file's folder, elsewhere at the
    /// working directory.
    case path
    /// A path that may be empty, which switches off what it is for.
    case optionalPath
    /// `unix:` and an absolute path, or a host, a colon and a port; may be empty.
    case optionalAddress
    /// A list of such addresses; may be empty.
    case addresses
    /// A list of origins of web pages; may be empty.
    case origins
    /// A list of addresses, of networks in CIDR notation, and of `unix`; may be empty.
    case networks
    /// A list of names of item types; may be empty.
    case itemTypes
    /// A list of rules of retention; may be empty.
    case retentionRules
    /// A URL of PostgreSQL, which may hold a password; may be empty.
    case databaseURL
    case choice([String])
    case boolean
    case integer(ClosedRange<Int>)

    /// Whether a YAML list may stand where a text with spaces may.
    var isList: Bool {
      switch self {
      case .addresses, .origins, .networks, .itemTypes, .retentionRules: true
      default: false
      }
    }
  }

  /// A value of the right kind.
  struct Value {
    let text: String
    /// - Precondition: The kind is `integer`.
    var integer: Int { Int(text)! }
    var isTrue: Bool { text == "true" }
    var words: [String] { Setting.words(text) }
  }

  private init(
    _ key: String, _ kind: Kind, default defaultValue: String, flag: String? = nil,
    reloads isReloadable: Bool = false,
    apply: @escaping @Sendable (Value, inout Settings) -> Void
  ) {
    self.key = key
    self.kind = kind
    self.defaultValue = defaultValue
    self.flag = flag
    self.isReloadable = isReloadable
    self.apply = apply
  }

  /// Every setting, in the order of the example file.
  static let all = http + tls + management + database + items + retention + history + log

  private static let http = [
    Setting("http.host", .text, default: "127.0.0.1", flag: "--host") { $1.host = $0.text },
    Setting("http.port", .integer(0...65535), default: "8080", flag: "--port") {
      $1.port = $0.integer
    },
    Setting("http.listen", .addresses, default: "", flag: "--listen") {
      $1.listenAddresses = $0.words.compactMap { ListenAddress($0) }
    },
    Setting("http.insecure", .boolean, default: "false", flag: "--insecure-http") {
      $1.allowsInsecureHTTP = $0.isTrue
    },
    Setting("http.require_keys", .boolean, default: "false") { $1.api.requiresKeys = $0.isTrue },
    Setting("http.event_loops", .integer(0...64), default: "0") {
      $1.server.eventLoops = $0.integer == 0 ? Int(process_processor_count()) : $0.integer
    },
    Setting("http.connections_max", .integer(1...100_000), default: "2048") {
      $1.server.connectionsMax = $0.integer
    },
    Setting(
      "http.connections_per_address_max", .integer(0...100_000), default: "0", reloads: true
    ) {
      $1.server.connectionsPerAddressMax = $0.integer
    },
    Setting("http.idle_timeout_seconds", .integer(1...3600), default: "60") {
      $1.server.idleTimeoutSeconds = $0.integer
    },
    Setting("http.request_timeout_seconds", .integer(1...3600), default: "30", reloads: true) {
      $1.server.requestTimeoutSeconds = $0.integer
    },
    Setting("http.drain_seconds", .integer(0...3600), default: "0", reloads: true) {
      $1.drainSeconds = $0.integer
    },
    Setting("http.header_bytes_max", .integer(4096...1_048_576), default: "32768") {
      $1.server.headerBytesMax = $0.integer
    },
    Setting("http.body_bytes_max", .integer(1024...67_108_864), default: "16777216") {
      $1.server.bodyBytesMax = $0.integer
      // What a request asks to be copied counts like what it sends.
      $1.store.copiesBytesMax = $0.integer
    },
    Setting("http.bodies_bytes_max", .integer(1024...1_099_511_627_776), default: "67108864") {
      $1.server.bodiesBytesMax = $0.integer
    },
    Setting("http.requests_per_minute_max", .integer(0...10_000_000), default: "0", reloads: true) {
      $1.api.requestsPerMinuteMax = $0.integer
    },
    Setting("http.cors_origins", .origins, default: "", reloads: true) {
      $1.api.corsOrigins = $0.words
    },
    Setting("http.trusted_proxies", .networks, default: "", reloads: true) {
      $1.api.trustedProxies = $0.words.compactMap { NetworkRange($0) }
    },
    Setting("http.open_metrics", .boolean, default: "false", reloads: true) {
      $1.api.hasOpenMetrics = $0.isTrue
    },
    Setting("http.dashboard", .boolean, default: "true", reloads: true) {
      $1.api.hasDashboard = $0.isTrue
    },
  ]

  private static let tls = [
    Setting("tls.certificate", .optionalPath, default: "") { $1.certificatePath = $0.text },
    Setting("tls.private_key", .optionalPath, default: "") { $1.privateKeyPath = $0.text },
  ]

  private static let management = [
    Setting("management.address", .optionalAddress, default: "") {
      $1.managementAddress = ListenAddress($0.text)
    },
    Setting("management.project_counts", .boolean, default: "false") {
      $1.countsProjects = $0.isTrue
    },
  ]

  private static let database = [
    Setting("database.path", .path, default: "conversations.db", flag: "--database") {
      $1.databasePath = $0.text
    },
    Setting("database.url", .databaseURL, default: "") { $1.databaseURL = $0.text },
    Setting(
      "database.synchronous",
      .choice(SQLiteStore.Settings.Synchronous.allCases.map(\.rawValue)), default: "full"
    ) {
      $1.sqlite.synchronous = .init(rawValue: $0.text)!
    },
    Setting("database.busy_timeout_milliseconds", .integer(0...60_000), default: "5000") {
      $1.sqlite.busyTimeoutMilliseconds = $0.integer
    },
    Setting("database.waiting_writes_max", .integer(1...100_000), default: "4096") {
      $1.store.waitingWritesMax = $0.integer
    },
    Setting("database.wal_bytes_max", .integer(1_048_576...1_099_511_627_776), default: "33554432")
    {
      $1.sqlite.walBytesMax = $0.integer
    },
    Setting("database.query_threads", .integer(1...64), default: "2") {
      $1.sqlite.queryThreads = $0.integer
      $1.postgreSQL.queryLanes = $0.integer
    },
    Setting("database.read_lanes", .integer(1...16), default: "2") {
      $1.postgreSQL.readLanes = $0.integer
    },
    Setting("database.write_lanes", .integer(1...16), default: "3") {
      $1.postgreSQL.writeLanes = $0.integer
    },
    Setting("database.query_timeout_milliseconds", .integer(1...60_000), default: "2000") {
      $1.store.queryTimeoutMilliseconds = $0.integer
    },
    Setting("database.idempotency_seconds", .integer(1...31_536_000), default: "86400") {
      $1.store.idempotencySeconds = $0.integer
    },
  ]

  private static let items = [
    Setting("items.more_types", .itemTypes, default: "", reloads: true) {
      $1.api.moreItemTypes = $0.words
    }
  ]

  private static let retention = [
    Setting("retention.rules", .retentionRules, default: "", reloads: true) {
      $1.retention = RetentionRules($0.words.compactMap { try? RetentionRule($0) })
    },
    Setting("retention.interval_seconds", .integer(1...604_800), default: "3600", reloads: true) {
      $1.retentionIntervalSeconds = $0.integer
    },
  ]

  private static let history = [
    Setting("metadata_history.days", .integer(0...3650), default: "0") {
      $1.store.metadataHistoryDays = $0.integer
    }
  ]

  private static let log = [
    Setting(
      "log.level", .choice(Logger.Level.allCases.map(\.rawValue)), default: "info",
      flag: "--log-level", reloads: true
    ) {
      $1.logLevel = Logger.Level(rawValue: $0.text)!
    },
    Setting("log.format", .choice(["text", "json"]), default: "text") {
      $1.logsJSON = $0.text == "json"
    },
    Setting("log.requests", .boolean, default: "true", reloads: true) {
      $1.api.logsRequests = $0.isTrue
    },
  ]

  /// The setting of that name.
  ///
  /// - Precondition: There is one.
  static func named(_ key: String) -> Setting {
    guard let setting = all.first(where: { $0.key == key }) else {
      preconditionFailure("no setting \(key)")
    }
    return setting
  }

  /// A value as people may see it: without a password.
  func shown(_ text: String) -> String {
    guard case .databaseURL = kind, !text.isEmpty else { return text }
    return (try? DatabaseURL(text)).map(\.description) ?? "***"
  }

  /// The name of the environment variable that sets it.
  var environmentName: String {
    Self.environmentPrefix
      + key.uppercased().map { $0 == "." ? "_" : String($0) }.joined()
  }

  /// What the names of all of our environment variables begin with.
  static let environmentPrefix = "CONVERSATIOND_"

  /// What stands between white space, such as the line breaks of a folded text in YAML.
  static func words(_ value: String) -> [String] {
    value.unicodeScalars.split { $0.properties.isWhitespace }.map { String($0) }
  }
}
