import ArgumentParser
import Foundation
import Repository

/// `conversationd backup`
struct BackupCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backup",
    abstract: "Copy a database into a new file, also beside a running server.",
    discussion: """
      The copy is the database as it is at one moment. It is made as FILE.partial, and gets its \
      name when it has been checked and is on disk: what is called FILE is a good backup.
      """)

  @OptionGroup var databaseOptions: DatabaseOptions

  @Argument(help: "The file to make; it must not exist.")
  var file: String

  func run() async throws {
    let path = try await databaseOptions.settings().databasePath
    let bar = ProgressBar("copying")
    do {
      defer { bar.end() }
      warn(of: try Repository.backUp(path: path, to: file, progress: bar.show), in: path)
    } catch {
      throw Failure(error, from: path, to: file)
    }
    print("backed up '\(path)' to '\(file)', and checked it")
  }
}

/// `conversationd restore`
struct RestoreCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore",
    abstract: "Put a backup in the place of a database that no server has open.",
    discussion: """
      The backup is checked first, and stays as it is. What was stored after it was made is gone \
      then, and API keys that were revoked since count again.
      """)

  @OptionGroup var databaseOptions: DatabaseOptions

  @Argument(help: "The backup.")
  var file: String

  @Flag(help: "Replace a database that is there already.")
  var overwrite = false

  func run() async throws {
    let path = try await databaseOptions.settings().databasePath
    let bar = ProgressBar("copying")
    do {
      defer { bar.end() }
      let findings = try Repository.restore(
        from: file, to: path, overwrites: overwrite, progress: bar.show)
      warn(of: findings, in: file)
    } catch {
      throw Failure(error, from: file, to: path, hint: "; --overwrite replaces it")
    }
    print("restored '\(path)' from '\(file)', and checked it")
    if (try? APIKeys.wereEverMade(path: path)) == true {
      print("keys that were revoked after that backup count again; see 'conversationd keys list'")
    }
  }
}

/// Rows that somebody wrote by hand are copied as they are, and are no reason to have no backup.
private func warn(of findings: [DatabaseFinding], in database: String) {
  guard !findings.isEmpty else { return }
  let words =
    "warning: '\(database)' has rows that are not as they should be, and so has the copy; "
    + "'conversationd check' names them\n"
  FileHandle.standardError.write(Data(words.utf8))
}
