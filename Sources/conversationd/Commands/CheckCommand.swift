import ArgumentParser
import Glibc
import Repository

/// `conversationd check`
struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Check a database, without changing it.",
    discussion: """
      Runs SQLite's integrity and foreign-key checks, then looks at every conversation, pair and \
      item for the limits and for text that is not UTF-8, which SQLite does not check. May run \
      beside a server. SQLite's integrity check takes one snapshot: until it ends, the server's \
      write-ahead log cannot be checkpointed past it. The rest takes many short ones. Exits with \
      65 when something is wrong.
      """)

  @OptionGroup var databaseOptions: DatabaseOptions

  func run() throws {
    let path = try databaseOptions.settings().databasePath
    let report: DatabaseReport
    let bar = ProgressBar()
    do {
      defer { bar.end() }
      report = try Repository.check(path: path, progress: bar.show)
    } catch {
      throw Failure(error, database: path)
    }
    for finding in report.findings { print(Self.words(finding)) }
    let counts =
      "\(report.conversationCount) conversations, \(report.pairCount) metadata pairs, "
      + "\(report.itemCount) items"
    guard report.findings.isEmpty else {
      print("\(path): \(counts), \(report.findings.count) findings")
      // The findings are said; the exit code is all that is left to say.
      throw ExitCode(Failure.Kind.data.rawValue)
    }
    print("\(path): \(counts), all is well")
  }

  /// One line; a value is never shown.
  private static func words(_ finding: DatabaseFinding) -> String {
    switch finding {
    case .integrity(let words):
      "integrity: \(words.split(whereSeparator: \.isNewline).joined(separator: "; "))"
    case .orphans(let table, let parent, let rows):
      "foreign keys: \(rows) rows of \(table) refer to rows of \(parent) that are not there"
    case .unreadableConversation(let number):
      "conversation number \(number): its id is not valid"
    case .outOfOrder(let conversation):
      "\(conversation): its number is larger than that of a newer conversation"
    case .tooManyPairs(let conversation, let count):
      "\(conversation): \(count) metadata pairs, at most 16 are allowed"
    case .notUTF8(let conversation, let key):
      "\(conversation): key \(key.debugDescription): the key or its value is not UTF-8"
    case .unreadableItem(let conversation, let item):
      "\(conversation): item \(item.debugDescription): it is not a JSON object in UTF-8, or of "
        + "another project"
    case .wrongActivity(let conversation):
      "\(conversation): its row of activity is missing, or is not true of its items"
    case .limit(let conversation, let key):
      "\(conversation): key \(key.debugDescription): the key or its value is over a limit"
    }
  }
}
