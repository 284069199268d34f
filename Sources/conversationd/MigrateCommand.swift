import ArgumentParser
import Repository

/// `conversationd migrate`
struct MigrateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate",
    abstract: "Bring a database to this version's schema, and create it when there is none.",
    discussion: "Serving does the same. Prints the name of each migration that it applied.")

  @OptionGroup var databaseOptions: DatabaseOptions

  func run() async throws {
    let settings = try await databaseOptions.settings()
    let path = settings.databasePath
    do {
      let applied = try Repository.migrate(
        path: path, busyTimeoutMilliseconds: settings.repository.busyTimeoutMilliseconds)
      for name in applied { print("applied \(name)") }
      print(applied.isEmpty ? "\(path) is up to date" : "\(path) is now up to date")
    } catch {
      throw Failure(error, database: path)
    }
  }
}
