/// What every layer says about the settings. Flags override environment variables, which override the
/// file, which overrides the defaults.
struct SettingLayers: Sendable {
  /// What is odd, but no reason to refuse to start; for the log, once there is one.
  let warnings: [String]
  /// The highest first.
  private let layers: [Layer]

  /// The environment variable that names the configuration file.
  static let fileVariable = Setting.environmentPrefix + "CONFIG"

  /// A setting with the value that counts.
  struct Effective: Sendable {
    let setting: Setting
    let text: String
    let source: Source

    /// The value as people may see it.
    var shown: String { setting.shown(text) }
  }

  /// Where a value comes from.
  enum Source: Sendable, Equatable {
    case commandLine
    case environment
    case file(String)
    case defaults
  }

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
    let variables = Setting.all.compactMap { setting in
      environment[setting.environmentName].map { (setting.key, $0) }
    }
    var layers = [
      Layer(source: .commandLine, values: flags),
      Layer(source: .environment, values: Dictionary(uniqueKeysWithValues: variables)),
    ]
    if let file = file ?? environment[Self.fileVariable], !file.isEmpty {
      layers.append(Layer(source: .file(file), values: try SettingsFile(file).values))
    }
    for layer in layers { try layer.check() }
    self.layers = layers
  }

  /// Every setting, in the order of the example file.
  var effective: [Effective] {
    let hidden = Set(Alternative.all.flatMap { $0.hidden(in: layers) })
    return Setting.all.map { setting in
      for layer in layers where !hidden.contains(setting.key) {
        // An empty list does not hide the one below it.
        let isSaid = Alternative.all.allSatisfy {
          $0.setting != setting.key || $0.hasSetting(layer)
        }
        if isSaid, let text = layer.values[setting.key] {
          return Effective(setting: setting, text: text, source: layer.source)
        }
      }
      return Effective(setting: setting, text: setting.defaultValue, source: .defaults)
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

/// A setting that says in one what others say. The highest layer that has any of them says it alone: a
/// list of addresses hides a host and a port below it, and these hide a list.
private struct Alternative {
  /// Empty says nothing.
  let setting: String
  let others: [String]

  static let all = [
    Alternative(setting: "http.listen", others: ["http.host", "http.port"]),
    Alternative(setting: "database.url", others: ["database.path"]),
  ]

  func hasSetting(_ layer: Layer) -> Bool {
    !Setting.words(layer.values[setting] ?? "").isEmpty
  }

  func hasOthers(_ layer: Layer) -> Bool { others.contains { layer.values[$0] != nil } }

  /// The settings that do not count.
  func hidden(in layers: [Layer]) -> [String] {
    guard let layer = layers.first(where: { hasSetting($0) || hasOthers($0) }) else { return [] }
    return hasSetting(layer) ? others : [setting]
  }

  /// - Returns: What is wrong with a layer that has both.
  func complaint(about layer: Layer) -> String? {
    guard hasSetting(layer), hasOthers(layer) else { return nil }
    let names = others.map { "'\($0)'" }.joined(separator: " or ")
    return
      "setting '\(setting)' in \(layer.source.name) stands beside \(names): give the one or the "
      + "other\(others.count > 1 ? "s" : "")"
  }
}

/// The values of one place.
private struct Layer {
  let source: SettingLayers.Source
  let values: [String: String]

  func check() throws(Failure) {
    for alternative in Alternative.all {
      if let complaint = alternative.complaint(about: self) {
        throw Failure(.configuration, complaint)
      }
    }
    for setting in Setting.all {
      guard let value = values[setting.key], let complaint = setting.complaint(about: value)
      else { continue }
      throw Failure(.configuration, "setting '\(setting.key)' in \(source.name) \(complaint)")
    }
  }
}

extension SettingLayers.Source {
  /// As errors name it.
  fileprivate var name: String {
    switch self {
    case .commandLine: "the command line"
    case .environment: "the environment"
    case .file(let path): "'\(path)'"
    case .defaults: "the defaults"
    }
  }
}
