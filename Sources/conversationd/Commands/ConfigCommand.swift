import ArgumentParser

/// `conversationd config`
struct ConfigCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config",
    abstract: "Show the settings that a server would have, and check them.",
    discussion: """
      Prints each setting with its value and where that comes from: a flag, an environment \
      variable, the configuration file or the default. Takes the flags of 'serve'. Also reads the \
      TLS certificate and its private key, and refuses addresses other than loopback without TLS. \
      Exits with 78 when something is wrong; run it as the user of the service before a restart. \
      It does not look at the database, and does not try whether the addresses are free.
      """)

  @OptionGroup var databaseOptions: DatabaseOptions
  @OptionGroup var options: ServeOptions
  @OptionGroup var jsonOption: JSONOption

  func run() throws {
    let layers = try databaseOptions.layers(flags: options.flags)
    let settings = try Settings(layers)
    _ = try settings.tls?.read()
    try settings.checkAddresses()
    for warning in layers.warnings { writeError("warning: \(warning)") }
    if jsonOption.isWanted {
      print(JSONValue.array(layers.effective.map(\.json)).text)
    } else {
      let rows = layers.effective.map(\.row)
      for line in Table([["SETTING", "VALUE", "FROM"]] + rows).lines { print(line) }
    }
  }
}

extension SettingLayers.Effective {
  fileprivate var row: [String] { [setting.key, text.isEmpty ? "none" : shown, origin] }

  fileprivate var json: JSONValue {
    .object([
      "name": .string(setting.key), "value": setting.kind.json(of: shown),
      "from": .string(origin),
    ])
  }

  /// Where somebody would change it.
  private var origin: String {
    switch source {
    case .commandLine: setting.flag ?? "the command line"
    case .environment: setting.environmentName
    case .file(let path): path
    case .defaults: "default"
    }
  }
}

extension Setting.Kind {
  /// A value with the type that it has in the configuration file.
  fileprivate func json(of text: String) -> JSONValue {
    switch self {
    case .boolean: .boolean(text == "true")
    case .integer: .integer(Int64(text)!)
    case _ where isList: .array(Setting.words(text).map { .string($0) })
    default: .string(text)
    }
  }
}
