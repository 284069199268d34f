import API
import Foundation
import HTTP
import PostgreSQLStore
import Repository
import SQLiteStore
import Testing

@testable import conversationd

@Suite struct SettingsTests {
  private static let root = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  private func settings(
    flags: [String: String] = [:], environment: [String: String] = [:],
    file text: String? = nil
  ) throws -> Settings {
    guard let text else {
      return try read(flags: flags, environment: environment)
    }
    let file = FileManager.default.temporaryDirectory
      .appending(path: "conversationd-\(UUID().uuidString).yaml").path
    try text.write(toFile: file, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: file) }
    return try read(flags: flags, environment: environment, file: file)
  }

  private func read(
    flags: [String: String] = [:], environment: [String: String] = [:], file: String? = nil
  ) throws -> Settings {
    try Settings(SettingLayers(flags: flags, environment: environment, file: file))
  }

  private func failure(_ body: () throws -> Settings) -> String? {
    do {
      _ = try body()
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test
  func `flags override the environment, which overrides the file, which overrides the defaults`()
    throws
  {
    let file = "http:\n  port: 1\n  host: 127.0.0.3\ndatabase:\n  path: file.db\n"
    let environment = [
      "CONVERSATIOND_HTTP_PORT": "2", "CONVERSATIOND_HTTP_HOST": "127.0.0.2",
    ]
    let all = try settings(
      flags: ["http.port": "3"], environment: environment, file: file)
    #expect(all.port == 3)
    #expect(all.host == "127.0.0.2")
    #expect(all.databasePath.hasSuffix("/file.db"))
    #expect("\(all.logLevel)" == "info")
    #expect("\(all.sqlite.synchronous)" == "full")
    #expect(all.server.bodyBytesMax == 16_777_216)
  }

  @Test(arguments: Setting.all.map(\.key))
  func `every setting is in the example file and in docs/settings.md with its default`(
    key: String
  ) throws {
    let setting = try #require(Setting.all.first { $0.key == key })
    let example = try String(
      contentsOf: Self.root.appending(path: "config/conversationd.yaml"), encoding: .utf8)
    let page = try String(
      contentsOf: Self.root.appending(path: "docs/settings.md"), encoding: .utf8)
    let (section, name) = (key.split(separator: ".")[0], key.split(separator: ".")[1])
    let inSection = try #require(example.components(separatedBy: "\n\(section):\n").last)
    let isEmpty = setting.defaultValue.isEmpty
    #expect(inSection.contains("\n  \(name): \(isEmpty ? "\"\"" : setting.defaultValue)\n"))
    let row = page.split(separator: "\n").first { $0.hasPrefix("| `\(key)` |") }
    #expect(row?.contains(isEmpty ? "| none |" : "`\(setting.defaultValue)`") == true)
    // Certificates are, for as long as there are any.
    let isMarked = row?.hasSuffix(" ↻ |") == true
    #expect(isMarked == (setting.isReloadable || section == "tls"))
    if case .integer(let range) = setting.kind {
      let words = "\(range.lowerBound) to \(range.upperBound)"
      #expect(inSection.contains(words))
      #expect(row?.contains(words) == true)
    }
  }

  @Test func `the highest layer that says where to listen says it alone`() throws {
    let list = "http:\n  listen: [127.0.0.1:1, unix:/a]\n"
    let ofList = try settings(file: list).addresses
    #expect(ofList == [.host("127.0.0.1", port: 1), .unix(path: "/a")])
    #expect(
      try settings(environment: ["CONVERSATIOND_HTTP_PORT": "2"], file: list).addresses
        == [.host("127.0.0.1", port: 2)])
    #expect(
      try settings(flags: ["http.listen": "[::1]:3"], file: "http:\n  host: a\n").addresses
        == [.host("::1", port: 3)])
    for empty in ["", " "] {
      let variables = ["CONVERSATIOND_HTTP_LISTEN": empty]
      #expect(try settings(environment: variables, file: list).addresses == ofList)
      let port = "http:\n  port: 4\n"
      #expect(
        try settings(environment: variables, file: port).addresses
          == [.host("127.0.0.1", port: 4)])
    }
    // An empty list says nothing, also beside the others.
    #expect(try settings(file: "http:\n  listen: []\n  port: 4\n").addresses.count == 1)
  }

  @Test func `each setting of the database reaches the repository`() throws {
    let file = """
      database:
        synchronous: normal
        busy_timeout_milliseconds: 11
        waiting_writes_max: 12
        query_threads: 13
        query_timeout_milliseconds: 14
        idempotency_seconds: 15
        read_lanes: 16
        write_lanes: 7
      """
    let set = try settings(file: file)
    #expect(set.sqlite.synchronous == .normal)
    #expect(set.sqlite.busyTimeoutMilliseconds == 11)
    #expect(set.store.waitingWritesMax == 12)
    #expect(set.sqlite.queryThreads == 13)
    #expect(set.postgreSQL.queryLanes == 13)
    #expect(set.store.queryTimeoutMilliseconds == 14)
    #expect(set.store.idempotencySeconds == 15)
    #expect(set.postgreSQL.readLanes == 16)
    #expect(set.postgreSQL.writeLanes == 7)

    let environment = [
      "CONVERSATIOND_DATABASE_QUERY_THREADS": "3",
      "CONVERSATIOND_DATABASE_QUERY_TIMEOUT_MILLISECONDS": "4",
      "CONVERSATIOND_DATABASE_IDEMPOTENCY_SECONDS": "5",
    ]
    let over = try settings(environment: environment, file: file)
    #expect(over.sqlite.queryThreads == 3)
    #expect(over.store.queryTimeoutMilliseconds == 4)
    #expect(over.store.idempotencySeconds == 5)
    #expect(over.sqlite.busyTimeoutMilliseconds == 11)
  }

  @Test func `the defaults are those of the stores`() throws {
    #expect("\(try settings().sqlite)" == "\(SQLiteStore.Settings())")
    #expect("\(try settings().postgreSQL)" == "\(PostgreSQLStore.Settings())")
    #expect("\(try settings().store)" == "\(StoreSettings())")
  }

  @Test func `the highest layer that names a database says it alone`() throws {
    let url = "postgresql://user:secret@host/name"
    let variable = ["CONVERSATIOND_DATABASE_URL": url]
    func database(
      flags: [String: String] = [:], environment: [String: String] = [:], file: String? = nil
    ) throws -> String {
      "\(try settings(flags: flags, environment: environment, file: file).database)"
    }
    let shown = "postgresql://user:***@host/name"
    #expect(try database(environment: variable, file: "database:\n  path: /a.db\n") == shown)
    #expect(try database(flags: ["database.path": "/b.db"], environment: variable) == "/b.db")
    #expect(try database(file: "database:\n  url: \(url)\n") == shown)
    #expect(try database(file: "database:\n  url: ''\n  path: /a.db\n") == "/a.db")
  }

  @Test(arguments: [
    ("database:\n  url: postgresql:///a\n  path: b\n", "stands beside 'database.path'"),
    ("database:\n  url: mysql://a:secret@b\n", "must be a URL that begins with postgresql://"),
    ("database:\n  url: postgresql://u:se/cret@b/c\n", "%2F"),
    ("database:\n  url: 'postgresql://u:secret@b:port/c'\n", "a port"),
    ("database:\n  url: 'postgresql://u:secret@b/c?no=1'\n", "cannot be read"),
  ])
  func `a URL that is wrong is refused, and its password is not told`(
    file: String, words: String
  ) throws {
    let message = try #require(failure { try settings(file: file) })
    #expect(message.contains("'database.url'"))
    #expect(message.contains(words))
    #expect(!message.contains("secret") && !message.contains("cret@"))
  }

  @Test(arguments: Setting.all.map(\.key))
  func `an integer is taken up to its limits and refused past them`(key: String) throws {
    let setting = try #require(Setting.all.first { $0.key == key })
    guard case .integer(let range) = setting.kind else {
      #expect(setting.complaint(about: setting.defaultValue) == nil)
      return
    }
    for value in [range.lowerBound, range.upperBound] {
      #expect(setting.complaint(about: "\(value)") == nil)
    }
    for value in [range.lowerBound - 1, range.upperBound + 1] {
      let message = failure { try settings(flags: [key: "\(value)"]) }
      #expect(
        message
          == "setting '\(key)' in the command line must be an integer from \(range.lowerBound) "
          + "to \(range.upperBound), not '\(value)'")
    }
    for value in ["", " ", "1.5", "1e3", "0x1", "1s", "\u{661}"] {
      #expect(setting.complaint(about: value) != nil)
    }
  }

  @Test func `the example file is taken as it is, and sets nothing but defaults`() throws {
    let example = try String(
      contentsOf: Self.root.appending(path: "config/conversationd.yaml"), encoding: .utf8)
    let fromFile = try settings(file: example)
    let defaults = try settings()
    // The path starts at the file's folder.
    #expect(fromFile.databasePath.hasSuffix("/" + defaults.databasePath))
    #expect(
      "\(fromFile)".replacing(fromFile.databasePath, with: defaults.databasePath) == "\(defaults)")
  }

  @Test(arguments: [
    ("http:\n  prot: 1\n", "unknown setting 'http.prot'"),
    ("port: 1\n", "unknown setting 'port'"),
    ("http.port: 1\n", "unknown setting 'http.port' in"),
    ("http: 5\n", "unknown setting 'http'"),
    ("http:\n  port: 70000\n", "'http.port'"),
    ("http:\n  port: x\n", "an integer from 0 to 65535, not 'x'"),
    ("http:\n  port:\n", "'http.port'"),
    ("http:\n  port: [1]\n", "'http.port'"),
    ("http:\n  port:\n    number: 1\n", "'http.port'"),
    ("log:\n  format: xml\n", "one of text, json, not 'xml'"),
    ("database:\n  path: ''\n", "'database.path'"),
    ("- a\n", "must be a mapping"),
    ("http: [\n", "not valid YAML"),
    ("http:\n  port: 1\n  port: 2\n", "not valid YAML"),
    ("http:\n  trusted_proxies: [10.0.0.0/40]\n", "'10.0.0.0/40'"),
    ("management:\n  address: unix:relative\n", "'management.address'"),
    ("http: &a\n  port: *a\n", "aliases are not supported"),

    ("http:\n  port: 1\n---\nhttp:\n  port: 2\n", "more than one document"),
  ])
  func `a file with a mistake is refused with its name`(
    file: String, words: String
  ) throws {
    // Also when a flag hides the value.
    let message = try #require(
      failure { try settings(flags: ["http.port": "8080"], file: file) })
    #expect(message.contains(words))
    #expect(!message.contains("\n"))
  }

  @Test func `a value out of range is refused wherever it is`() throws {
    let inEnvironment = failure {
      try settings(
        flags: ["http.port": "1"], environment: ["CONVERSATIOND_HTTP_PORT": "tcp://10.0.0.1:80"])
    }
    #expect(
      inEnvironment
        == "setting 'http.port' in the environment must be an integer from 0 to 65535, "
        + "not 'tcp://10.0.0.1:80'")
    let inFlags = failure { try settings(flags: ["log.level": "loud"]) }
    #expect(inFlags?.hasPrefix("setting 'log.level' in the command line must be one of") == true)
  }

  @Test func `a relative path in the file starts at the file's folder, elsewhere where we are`()
    throws
  {
    let inFile = try settings(file: "database:\n  path: a.db\ntls:\n  certificate: ''\n")
    #expect(
      inFile.databasePath
        == FileManager.default.temporaryDirectory.appending(path: "a.db").path)
    #expect(
      try settings(environment: ["CONVERSATIOND_DATABASE_PATH": "a.db"]).databasePath == "a.db")
    #expect(try settings(file: "database:\n  path: /a.db\n").databasePath == "/a.db")
  }

  @Test func `a list may be a YAML list or words`() throws {
    let origins = ["https://a.example.com", "https://b.example.com"]
    let asList = "http:\n  cors_origins:\n    - \(origins[0])\n    - \(origins[1])\n"
    #expect(try settings(file: asList).api.corsOrigins == origins)
    let asWords = "http:\n  cors_origins: \(origins.joined(separator: " "))\n"
    #expect(try settings(file: asWords).api.corsOrigins == origins)
    #expect(try settings(file: "http:\n  cors_origins: []\n").api.corsOrigins.isEmpty)
    #expect(
      try settings(file: "http:\n  trusted_proxies: [10.0.0.0/8, '::1']\n").api.trustedProxies.count
        == 2)
  }

  @Test func `the environment may name the file`() throws {
    let file = FileManager.default.temporaryDirectory
      .appending(path: "conversationd-\(UUID().uuidString).yaml").path
    try "http:\n  port: 5\n".write(toFile: file, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: file) }
    let layers = try SettingLayers(
      flags: [:], environment: ["CONVERSATIOND_CONFIG": file], file: nil)
    #expect(try Settings(layers).port == 5)
    #expect(layers.warnings == [])
  }

  @Test func `a missing file is refused, one of comments alone is not`() throws {
    let message = failure {
      try read(file: "/nonexistent.yaml")
    }
    #expect(message == "configuration file '/nonexistent.yaml' does not exist")
    #expect(try settings(file: "# nothing\n").port == 8080)
    #expect(try settings(file: "---\n# nothing\n").port == 8080)
    #expect(try settings(file: "http:\n  # port: 1\n").port == 8080)
  }

  @Test func `an unknown variable with our prefix is a warning`() throws {
    let odd = try SettingLayers(
      flags: [:], environment: ["CONVERSATIOND_PORT": "tcp://10.0.0.1:8080", "OTHER": "x"],
      file: nil)
    #expect(
      odd.warnings == ["environment variable CONVERSATIOND_PORT is not a setting and is ignored"])
    #expect(try Settings(odd).port == 8080)
  }
}
