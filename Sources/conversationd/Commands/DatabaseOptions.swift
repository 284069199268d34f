import ArgumentParser

/// The options that name a database, for the commands that work on a file.
struct DatabaseOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The configuration file; else the one that \(Settings.fileVariable) names.",
      valueName: "file"))
  var config: String?

  @Option(
    help: ArgumentHelp(
      "The database file. (default: \(Setting.named("database.path").defaultValue))",
      valueName: "file"))
  var database: String?

  /// The settings, with `flags` over all else.
  func settings(flags: [String: String?] = [:]) throws(Failure) -> Settings {
    var given = flags.compactMapValues { $0 }
    given["database.path"] = database
    return try Settings(flags: given, environment: processEnvironment(), file: config)
  }
}
