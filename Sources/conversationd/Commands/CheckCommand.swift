import ArgumentParser
import Glibc
import SQLiteStore

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
  @OptionGroup var jsonOption: JSONOption

  func run() throws {
    let path = try databaseOptions.settings().databasePath
    let report: DatabaseReport
    let bar = ProgressBar()
    do {
      defer { bar.end() }
      report = try SQLiteStore.check(path: path, progress: bar.show)
    } catch {
      throw Failure(error, database: path)
    }
    if jsonOption.isWanted {
      print(Self.json(report, path: path).text)
    } else {
      Self.show(report, path: path)
    }
    // The findings are said; the exit code is all that is left to say.
    if !report.findings.isEmpty { throw ExitCode(Failure.Kind.data.rawValue) }
  }

  private static func show(_ report: DatabaseReport, path: String) {
    for finding in report.findings { print(words(finding)) }
    let verdict =
      report.findings.isEmpty ? "all is well" : "\(report.findings.count) findings"
    print(
      "\(path): \(report.conversationCount) conversations, \(report.pairCount) metadata pairs, "
        + "\(report.itemCount) items, \(verdict)")
  }

  private static func json(_ report: DatabaseReport, path: String) -> JSONValue {
    .object([
      "database": .string(path), "conversations": .integer(Int64(report.conversationCount)),
      "metadata_pairs": .integer(Int64(report.pairCount)),
      "items": .integer(Int64(report.itemCount)),
      "findings": .array(report.findings.map { .string(words($0)) }),
    ])
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
