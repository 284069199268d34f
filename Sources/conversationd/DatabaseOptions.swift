import ArgumentParser
import Foundation

/// The options that name a database, for the commands that work on a file.
struct DatabaseOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The configuration file.", valueName: "file"))
  var config: String?

  @Option(
    help: ArgumentHelp(
      "The database file. (default: \(Setting.databasePath.defaultValue))", valueName: "file"))
  var database: String?

  /// The settings, with `flags` over all else.
  func settings(
    flags: [(setting: Setting, value: String?)] = []
  ) async throws -> Settings {
    try await Settings(
      flags: [(.databasePath, database)] + flags,
      environment: ProcessInfo.processInfo.environment, file: config)
  }
}
