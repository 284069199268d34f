import API
import Configuration
import Foundation
import HTTP
import Logging
import Repository
import Yams

/// The settings of one run: from the flags, else the environment, else the file, else the defaults.
struct Settings: Sendable {
  let host: String
  let port: Int
  /// Whether other than loopback addresses may be served without TLS.
  let allowsInsecureHTTP: Bool
  let databasePath: String
  let server: Server.Configuration
  let api: API.Settings
  /// The files of the certificate and its private key; nil serves plain HTTP.
  let tls: TLSFiles?
  let repository: Repository.Settings
  let logLevel: Logger.Level
  let logsJSON: Bool
  /// What is odd, but no reason to refuse to start; for the log, once there is one.
  let warnings: [String]

  /// Reads all layers, and checks every value in each of them, also one that another layer hides.
  ///
  /// - Parameters:
  ///   - flags: What the command line says.
  ///   - environment: All environment variables.
  ///   - file: The configuration file, if there is one.
  /// - Throws: `Failure`, which names the setting and where it was found.
  init(
    flags: [(setting: Setting, value: String?)], environment: [String: String], file: String?
  ) async throws {
    var layers: [(name: String, provider: any ConfigProvider)] = [
      ("the command line", Self.provider(flags)),
      (
        "the environment",
        EnvironmentVariablesProvider(environmentVariables: environment)
          .prefixKeys(with: "conversationd")
      ),
    ]
    if let file, let provider = try await Self.provider(file: file) {
      layers.append(("'\(file)'", provider))
    }
    let defaults = Setting.all.map { ($0, Optional($0.defaultValue)) }
    layers.append(("the defaults", Self.provider(defaults)))
    for layer in layers { try Self.check(layer.provider, name: layer.name) }

    let reader = ConfigReader(providers: layers.map(\.provider))
    func text(_ setting: Setting) throws -> String {
      try reader.requiredString(forKey: ConfigKey(setting.key))
    }
    // `check` has seen that they are integers.
    func integer(_ setting: Setting) throws -> Int { Int(try text(setting))! }

    host = try text(.host)
    port = try integer(.port)
    allowsInsecureHTTP = try text(.insecureHTTP) == "true"
    databasePath = try text(.databasePath)
    let eventLoops = try integer(.eventLoops)
    server = Server.Configuration(
      eventLoops: eventLoops == 0 ? ProcessInfo.processInfo.activeProcessorCount : eventLoops,
      connectionsMax: try integer(.connectionsMax),
      connectionsPerAddressMax: try integer(.connectionsPerAddressMax),
      idleTimeoutSeconds: try integer(.idleTimeoutSeconds),
      requestTimeoutSeconds: try integer(.requestTimeoutSeconds),
      headerBytesMax: try integer(.headerBytesMax),
      bodyBytesMax: try integer(.bodyBytesMax),
      bodiesBytesMax: try integer(.bodiesBytesMax))
    api = API.Settings(
      logsRequests: try text(.logRequests) == "true",
      corsOrigins: Setting.words(try text(.corsOrigins)),
      requestsPerMinuteMax: try integer(.requestsPerMinuteMax),
      hasOpenMetrics: try text(.openMetrics) == "true")
    tls = try TLSFiles(certificate: try text(.certificate), privateKey: try text(.privateKey))
    repository = Repository.Settings(
      synchronous: Repository.Settings.Synchronous(rawValue: try text(.synchronous))!,
      busyTimeoutMilliseconds: try integer(.busyTimeoutMilliseconds),
      waitingWritesMax: try integer(.waitingWritesMax),
      queryThreads: try integer(.queryThreads),
      queryTimeoutMilliseconds: try integer(.queryTimeoutMilliseconds),
      idempotencySeconds: try integer(.idempotencySeconds))
    logLevel = Logger.Level(rawValue: try text(.logLevel))!
    logsJSON = try text(.logFormat) == "json"
    warnings = Self.warnings(environment)
  }

  private static func check(_ provider: any ConfigProvider, name: String) throws {
    for setting in Setting.all {
      let found: ConfigValue?
      do {
        found = try provider.value(
          forKey: AbsoluteConfigKey(ConfigKey(setting.key)), type: .string
        ).value
      } catch {
        throw Failure("setting '\(setting.key)' in \(name) must be a single value")
      }
      guard case .string(let value) = found?.content else { continue }
      if let complaint = setting.complaint(about: value) {
        throw Failure("setting '\(setting.key)' in \(name) \(complaint)")
      }
    }
  }

  private static func provider(_ values: [(setting: Setting, value: String?)]) -> InMemoryProvider {
    var known: [AbsoluteConfigKey: ConfigValue] = [:]
    for case (let setting, let value?) in values {
      known[AbsoluteConfigKey(ConfigKey(setting.key))] = ConfigValue(stringLiteral: value)
    }
    return InMemoryProvider(values: known)
  }

  /// - Returns: nil when the file has nothing but comments.
  private static func provider(file: String) async throws -> (any ConfigProvider)? {
    let text: String
    do {
      text = try String(contentsOfFile: file, encoding: .utf8)
    } catch {
      let isThere = FileManager.default.fileExists(atPath: file)
      throw Failure("configuration file '\(file)' \(isThere ? "cannot be read" : "does not exist")")
    }
    do {
      // Nothing but comments is nil, or an empty scalar after a `---`.
      guard let root = try Yams.compose(yaml: text), root.scalar?.string.isEmpty != true else {
        return nil
      }
      try refuseUnknown(in: root, file: file)
      let path = InMemoryProvider(values: ["filePath": ConfigValue(stringLiteral: file)])
      return try await FileProvider<YAMLSnapshot>(config: ConfigReader(provider: path))
    } catch let failure as Failure {
      throw failure
    } catch {
      let words = "\(error)".split(whereSeparator: \.isNewline).joined(separator: " ")
      throw Failure("configuration file '\(file)' is not valid YAML: \(words)")
    }
  }

  /// swift-configuration answers what it is asked for and cannot list what else is there.
  private static func refuseUnknown(
    in node: Node, file: String, path: String = ""
  ) throws {
    let isSetting = Setting.all.contains { $0.key == path }
    guard case .mapping(let mapping) = node else {
      if isSetting { return }
      // A section whose settings are all commented out.
      let isEmptySection =
        node.scalar?.string.isEmpty == true
        && Setting.all.contains { $0.key.hasPrefix("\(path).") }
      if isEmptySection { return }
      throw Failure(
        path.isEmpty
          ? "configuration file '\(file)' must be a mapping of settings"
          : "unknown setting '\(path)' in '\(file)'")
    }
    guard !isSetting else {
      throw Failure("setting '\(path)' in '\(file)' must be a single value")
    }
    for (key, value) in mapping {
      let name = key.string ?? "?"
      let childPath = path.isEmpty ? name : "\(path).\(name)"
      // `http.port: 1` would be a second way to say `http: {port: 1}`, and hide or be hidden.
      guard !name.contains(".") else {
        throw Failure("unknown setting '\(childPath)' in '\(file)': write sections, not dots")
      }
      try refuseUnknown(in: value, file: file, path: childPath)
    }
  }

  /// Not errors, since others set such variables too: Kubernetes gives every container of a cluster
  /// with a service named `conversationd` a `CONVERSATIOND_PORT=tcp://…`.
  private static func warnings(_ environment: [String: String]) -> [String] {
    let known = Set(Setting.all.map(\.environmentName))
    return environment.keys.sorted()
      .filter { $0.hasPrefix(Setting.environmentPrefix) && !known.contains($0) }
      .map { "environment variable \($0) is not a setting and is ignored" }
  }
}
