import ArgumentParser
import Glibc
import Repository

/// `conversationd projects`
struct ProjectsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "projects",
    abstract: "List and delete projects.",
    discussion: """
      May run beside a server. A project is made with its first key ('conversationd keys create \
      --project'); the project 'default' is always there.
      """,
    subcommands: [ListCommand.self, DeleteCommand.self])

  mutating func run() throws {
    throw MissingCommand(of: Self.self)
  }
}

extension ProjectsCommand {
  /// `conversationd projects list`
  struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list",
      abstract: "List all projects, with what is in them.",
      discussion: """
        Counts all conversations, which takes a second or so a million. KEYS are those that are not \
        revoked.
        """)

    @OptionGroup var databaseOptions: DatabaseOptions
    @OptionGroup var jsonOption: JSONOption

    func run() throws {
      let settings = try databaseOptions.settings()
      let projects = try settings.database.projects(settings)
      if jsonOption.isWanted {
        print(JSONValue.array(projects.map(Self.json)).text)
        return
      }
      writeError("Projects in \(settings.database):")
      let rows = projects.map { project in
        [
          project.name, "\(project.number)", "\(project.conversationCount)",
          "\(project.itemCount)", "\(project.keyCount)",
        ]
      }
      for line in Table([["NAME", "NUMBER", "CONVERSATIONS", "ITEMS", "KEYS"]] + rows).lines {
        print(line)
      }
    }

    private static func json(_ project: ProjectRecord) -> JSONValue {
      .object([
        "name": .string(project.name), "number": .integer(project.number),
        "conversations": .integer(project.conversationCount),
        "items": .integer(project.itemCount), "keys": .integer(project.keyCount),
      ])
    }
  }

  /// `conversationd projects delete`
  struct DeleteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "delete",
      abstract: "Delete all conversations of a project, for good.",
      discussion: """
        Revokes the project's keys, deletes its conversations a few at a time, and renames the \
        project to 'deleted-NUMBER': the rows of the project and its keys stay. Asks for the name \
        once more. When it is interrupted, run it again.
        """)

    @OptionGroup var databaseOptions: DatabaseOptions

    @Argument(help: "The name of the project.")
    var name: String

    @Option(help: ArgumentHelp("The name once more, instead of being asked.", valueName: "name"))
    var confirm: String?

    func run() throws {
      let settings = try databaseOptions.settings()
      guard try confirmation(settings) == name else {
        throw Failure(.usage, "the names differ, and nothing was deleted")
      }
      let isShown = isatty(STDERR_FILENO) == 1
      let deletion = try settings.database.deleteProject(name, settings) { count in
        if isShown { Self.show("\rdeleted \(count) conversations") }
      }
      if isShown { Self.show("\r") }
      print(
        "deleted \(deletion.conversationCount) conversations of '\(name)' in "
          + "\(settings.database), revoked \(deletion.keyCount) keys; the project is "
          + "'\(deletion.newName)' now")
    }

    private func confirmation(_ settings: Settings) throws -> String? {
      if let confirm { return confirm }
      writeError(
        "This deletes all conversations of the project '\(name)' in \(settings.database), for "
          + "good. Type its name to go on:")
      return readLine()
    }

    private static func show(_ text: String) {
      let bytes = Array(text.utf8)
      _ = write(STDERR_FILENO, bytes, bytes.count)
    }
  }
}
