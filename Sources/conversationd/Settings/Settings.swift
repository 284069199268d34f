import API
import Glibc
import HTTP
import Logging
import Repository

/// The settings of one run. Flags override environment variables, which override the file, which
/// overrides the defaults.
struct Settings: Sendable {
  var host = ""
  var port = 0
  /// Whether other than loopback addresses may be served without TLS.
  var allowsInsecureHTTP = false
  /// Where the management listener listens; nil for nowhere.
  var managementAddress: ListenAddress?
  var databasePath = ""
  var server = Server.Configuration()
  var api = API.Settings()
  var repository = Repository.Settings()
  var logLevel = Logger.Level.info
  var logsJSON = false
  /// The file of the certificate with its chain; empty for none.
  var certificatePath = ""
  /// The file of its private key; empty for none.
  var privateKeyPath = ""
  /// The files of the certificate and its private key; nil serves plain HTTP.
  private(set) var tls: TLSFiles?
  /// What is odd, but no reason to refuse to start; for the log, once there is one.
  let warnings: [String]

  /// The environment variable that names the configuration file.
  static let fileVariable = Setting.environmentPrefix + "CONFIG"

  /// Reads all layers, and checks every value in each of them, also one that another layer hides.
  ///
  /// - Parameters:
  ///   - flags: What the command line says, by the setting's key.
  ///   - environment: All environment variables.
  ///   - file: The configuration file that the command line names; else the environment may name one.
  /// - Throws: `Failure`, which names the setting and where it was found.
  init(
    flags: [String: String], environment: [String: String], file: String?
  ) throws(Failure) {
    warnings = Self.warnings(environment)
    var layers = [
      Layer("the command line", flags),
      Layer(
        "the environment",
        Dictionary(
          uniqueKeysWithValues: Setting.all.compactMap { setting in
            environment[setting.environmentName].map { (setting.key, $0) }
          })),
    ]
    if let file = file ?? environment[Self.fileVariable], !file.isEmpty {
      layers.append(Layer("'\(file)'", try SettingsFile(file).values))
    }
    for layer in layers { try layer.check() }
    for setting in Setting.all {
      let text =
        layers.lazy.compactMap { layer in layer.values[setting.key] }.first
        ?? setting.defaultValue
      setting.apply(Setting.Value(text: text), &self)
    }
    tls = try TLSFiles(certificate: certificatePath, privateKey: privateKeyPath)
  }

  /// The values of one place.
  private struct Layer {
    let name: String
    let values: [String: String]

    init(_ name: String, _ values: [String: String]) {
      self.name = name
      self.values = values
    }

    func check() throws(Failure) {
      for setting in Setting.all {
        guard let value = values[setting.key], let complaint = setting.complaint(about: value)
        else { continue }
        throw Failure(.configuration, "setting '\(setting.key)' in \(name) \(complaint)")
      }
    }
  }

  /// Not errors, since others set such variables too: Kubernetes gives every container of a cluster
  /// with a service named `conversationd` a `CONVERSATIOND_PORT=tcp://…`.
  private static func warnings(_ environment: [String: String]) -> [String] {
    let known = Set(Setting.all.map(\.environmentName) + [fileVariable])
    return environment.keys.sorted()
      .filter { $0.hasPrefix(Setting.environmentPrefix) && !known.contains($0) }
      .map { "environment variable \($0) is not a setting and is ignored" }
  }
}

/// The environment variables of this process.
func processEnvironment() -> [String: String] {
  var variables: [String: String] = [:]
  var next = environ
  while let variable = next.pointee {
    let text = String(cString: variable)
    if let cut = text.firstIndex(of: "="), variables[String(text[..<cut])] == nil {
      variables[String(text[..<cut])] = String(text[text.index(after: cut)...])
    }
    next += 1
  }
  return variables
}
