import ArgumentParser

/// The options that name a database, for the commands that work on a file.
struct DatabaseOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The configuration file; else the one that \(SettingLayers.fileVariable) names.",
      valueName: "file"))
  var config: String?

  @Option(
    help: ArgumentHelp(
      "The database file, also where a URL is set. "
        + "(default: \(Setting.named("database.path").defaultValue))",
      valueName: "file"))
  var database: String?

  /// What all layers say, with `flags` as those of the command line.
  func layers(flags: [String: String] = [:]) throws(Failure) -> SettingLayers {
    var flags = flags
    flags["database.path"] = database
    return try SettingLayers(flags: flags, environment: processEnvironment(), file: config)
  }

  /// The settings of a command without other flags for settings.
  func settings() throws(Failure) -> Settings {
    try Settings(layers())
  }
}
