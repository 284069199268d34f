import ArgumentParser

/// The program: its commands, and what they share.
@main
struct Conversationd: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "conversationd",
    abstract: "Keeps conversations and their metadata for OpenAI clients, in one SQLite file.",
    discussion: """
      Answers OpenAI's Conversations API over HTTP: point an official SDK at it with base_url. \
      An answered write is on disk.
      """,
    version: version,
    subcommands: [
      ServeCommand.self, KeysCommand.self, MigrateCommand.self, CheckCommand.self,
      BackupCommand.self, RestoreCommand.self,
    ])

  /// As `--version` prints it; CHANGELOG.md says what is in it.
  static let version = "0.1.0"
}
