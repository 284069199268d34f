import ArgumentParser
import Repository

/// `conversationd migrate`
struct MigrateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate",
    abstract: "Bring a database to this version's schema, and create it when there is none.",
    discussion: """
      Serving does the same. A SQLite file with something in it is copied before, to \
      FILE.version-N.backup, which 'conversationd restore' takes; a PostgreSQL database is not. Prints the name of each migration \
      that it applied.
      """)

  @OptionGroup var databaseOptions: DatabaseOptions
  @OptionGroup var jsonOption: JSONOption

  @Flag(help: "Do not copy the database before: there is a backup, or no space for one.")
  var withoutBackup = false

  func run() throws {
    let settings = try databaseOptions.settings()
    let database = settings.database
    let report = try database.migrate(settings, backsUp: !withoutBackup)
    if jsonOption.isWanted {
      let applied = report.applied.map { JSONValue.string($0) }
      print(
        JSONValue.object([
          "database": .string("\(database)"), "backup": .optional(report.backup) { .string($0) },
          "applied": .array(applied),
        ]).text)
      return
    }
    if let backup = report.backup { print("copied it to \(backup) before") }
    for name in report.applied { print("applied \(name)") }
    print(report.applied.isEmpty ? "\(database) is up to date" : "\(database) is now up to date")
  }
}
