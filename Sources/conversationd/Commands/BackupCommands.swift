import ArgumentParser
import Glibc
import SQLiteStore

/// `conversationd backup`
struct BackupCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backup",
    abstract: "Copy a database into a new file, also beside a running server.",
    discussion: """
      The copy is the database as it is at one moment. It is made as FILE.partial and renamed to \
      FILE once it has been checked and is on disk, so a FILE is always a good backup. The \
      write-ahead log of a running server cannot be checkpointed past that moment until the copy \
      is made. With '-' the checked copy goes to standard output.
      """)

  @OptionGroup var databaseOptions: DatabaseOptions

  @Argument(help: "The file to make, which must not exist; '-' for standard output.")
  var file: String

  func run() throws {
    let path = try databaseOptions.settings().database.file(for: "backup", instead: "pg_dump")
    if file == "-" {
      try stream(path)
    } else {
      try copy(path, to: file)
      print("backed up '\(path)' to '\(file)', and checked it")
    }
  }

  private func copy(
    _ path: String, to file: String, in folder: String? = nil
  ) throws(Failure) {
    let bar = ProgressBar(in: folder)
    do {
      defer { bar.end() }
      warn(of: try SQLiteStore.backUp(path: path, to: file, progress: bar.show), in: path)
    } catch {
      throw Failure(error, from: path, to: file)
    }
  }

  /// By a temporary file, since only a copy that was checked is worth sending.
  private func stream(_ path: String) throws(Failure) {
    let folder = try TemporaryFolder()
    let file = folder.path + "/backup.db"
    try copy(path, to: file, in: folder.path)
    let interruption = Interruption(removing: file, in: folder.path)
    defer { interruption.end() }
    do {
      try copyFile(file, to: STDOUT_FILENO)
    } catch {
      throw Failure(.io, "standard output: \(error)")
    }
    writeError("backed up '\(path)' to standard output, and checked it")
  }
}

/// `conversationd restore`
struct RestoreCommand: ParsableCommand {
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

  @Flag(
    help: "Restore a backup without API keys over a database with keys, which turns them off.")
  var allowNoKeys = false

  func run() throws {
    let path = try databaseOptions.settings().database.file(for: "restore", instead: "pg_restore")
    let bar = ProgressBar()
    do {
      defer { bar.end() }
      let findings = try SQLiteStore.restore(
        from: file, to: path, overwrites: overwrite, allowsNoKeys: allowNoKeys, progress: bar.show)
      warn(of: findings, in: file)
    } catch {
      throw Failure(error, from: file, to: path, hint: "; --overwrite replaces it")
    }
    print("restored '\(path)' from '\(file)', and checked it")
    if (try? SQLiteStore.hasAPIKeys(path: path)) == true {
      print("keys that were revoked after that backup count again; see 'conversationd keys list'")
    }
  }
}

/// Rows that somebody wrote by hand are copied as they are, and are no reason to have no backup.
private func warn(of findings: [DatabaseFinding], in database: String) {
  guard !findings.isEmpty else { return }
  let words =
    "warning: '\(database)' has rows that are not as they should be, and so has the copy; "
    + "'conversationd check' names them"
  writeError(words)
}
