import ArgumentParser
import CProcess
import Glibc

/// The program: its commands, and what they share.
@main
struct Conversationd: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "conversationd",
    abstract: "Keeps conversations and their metadata for OpenAI clients, in SQLite or PostgreSQL.",
    discussion: """
      Answers OpenAI's Conversations API over HTTP: point an official SDK at it with base_url. \
      An answered write is on disk.

      Exit codes: 0 success, 64 a wrong command line, 65 the data is wrong, 69 something needed is \
      not available now, 70 an internal error, 74 an input or output error, 78 a wrong \
      configuration.
      """,
    version: Version.text,
    subcommands: [
      ServeCommand.self, KeysCommand.self, ProjectsCommand.self, MigrateCommand.self,
      CheckCommand.self, RetentionCommand.self, BackupCommand.self, RestoreCommand.self,
      ExportCommand.self, ImportCommand.self, CopyCommand.self, ConfigCommand.self,
      StatusCommand.self, HealthcheckCommand.self,
    ])

  mutating func run() throws {
    throw MissingCommand(of: Self.self)
  }

  static func main() {
    // A reader that goes away is an error of the call that writes, not the end of the process.
    signal(SIGPIPE, SIG_IGN)
    let arguments = (1..<process_argument_count()).map { String(cString: process_argument($0)) }
    Glibc.exit(run(arguments))
  }

  /// - Returns: The exit code.
  private static func run(_ arguments: [String]) -> Int32 {
    do {
      var command = try parseAsRoot(arguments)
      try command.run()
      try flushOutput()
      return 0
    } catch let error as MissingCommand {
      writeError(helpMessage(for: error.command))
      return Failure.Kind.usage.rawValue
    } catch let failure as Failure {
      writeError("Error: \(failure)")
      return failure.kind.rawValue
    } catch {
      return show(error)
    }
  }

  /// Shows what the parser has to say: help and the version are no errors.
  private static func show(_ error: any Error) -> Int32 {
    let code = exitCode(for: error)
    let text = fullMessage(for: error)
    guard code == .success else {
      if !text.isEmpty { writeError(text) }
      return code == .validationFailure ? Failure.Kind.usage.rawValue : code.rawValue
    }
    print(text)
    do {
      try flushOutput()
      return 0
    } catch {
      writeError("Error: \(error)")
      return error.kind.rawValue
    }
  }

  /// Hands on what was printed, which is buffered: only here it is known whether it arrived.
  static func flushOutput() throws(Failure) {
    guard fflush(nil) == 0 else {
      throw Failure(.io, "standard output: \(SystemError(number: errno))")
    }
  }
}

/// A command line that ends where a command has to follow.
struct MissingCommand: Error {
  let command: any ParsableCommand.Type

  init(of command: any ParsableCommand.Type) {
    self.command = command
  }
}

/// Writes a line to standard error.
func writeError(_ line: String) {
  let bytes = Array("\(line)\n".utf8)
  _ = write(STDERR_FILENO, bytes, bytes.count)
}
