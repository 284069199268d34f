import ArgumentParser
import Glibc
import PostgreSQLStore
import SQLiteStore

/// `conversationd check`
struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Check a database, without changing it.",
    discussion: """
      Of a SQLite file, runs SQLite's integrity and foreign-key checks, then looks at every \
      conversation, pair and item for the limits and for text that is not UTF-8, which SQLite does \
      not check. SQLite's integrity check takes one snapshot: until it ends, the server's \
      write-ahead log cannot be checkpointed past it. The rest takes many short ones. Of a PostgreSQL \
      database, looks whether what is kept beside each conversation is true of it. May run beside \
      servers. Exits with 65 when something is wrong.
      """)

  @OptionGroup var databaseOptions: DatabaseOptions
  @OptionGroup var jsonOption: JSONOption

  func run() throws {
    let database = try databaseOptions.settings().database
    let report = try Self.check(database)
    if jsonOption.isWanted {
      print(report.json(of: database).text)
    } else {
      for finding in report.findings { print(finding) }
      print("\(database): \(report.summary)")
    }
    // The findings are said; the exit code is all that is left to say.
    if !report.findings.isEmpty { throw ExitCode(Failure.Kind.data.rawValue) }
  }

  private static func check(_ database: Database) throws(Failure) -> CheckReport {
    let bar = ProgressBar()
    defer { bar.end() }
    switch database {
    case .sqlite(let path):
      do {
        let report = try SQLiteStore.check(path: path, progress: bar.show)
        return CheckReport(
          conversationCount: report.conversationCount, pairCount: report.pairCount,
          itemCount: report.itemCount, findings: report.findings.map { words($0) })
      } catch {
        throw Failure(error, database: path)
      }
    case .postgreSQL(let url):
      do {
        let report = try PostgreSQLStore.check(url: url) { bar.show(.checking($0)) }
        return CheckReport(
          conversationCount: report.conversationCount, pairCount: report.pairCount,
          itemCount: report.itemCount, findings: report.findings.map { "\($0)" })
      } catch {
        throw Failure(error, database: "\(url)")
      }
    }
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
    case .unreadableVersion(let conversation, let version):
      "\(conversation): version \(version) of its metadata is not a JSON object of strings in UTF-8, "
        + "or breaks a limit"
    case .wrongActivity(let conversation):
      "\(conversation): its row of activity is missing, or is not true of its items"
    case .limit(let conversation, let key):
      "\(conversation): key \(key.debugDescription): the key or its value is over a limit"
    }
  }
}

/// What a check found, whatever the engine.
private struct CheckReport {
  let conversationCount: Int
  let pairCount: Int
  let itemCount: Int
  /// One line each.
  let findings: [String]

  var summary: String {
    let verdict = findings.isEmpty ? "all is well" : "\(findings.count) findings"
    return "\(conversationCount) conversations, \(pairCount) metadata pairs, \(itemCount) items, "
      + verdict
  }

  func json(of database: Database) -> JSONValue {
    .object([
      "database": .string("\(database)"), "conversations": .integer(Int64(conversationCount)),
      "metadata_pairs": .integer(Int64(pairCount)), "items": .integer(Int64(itemCount)),
      "findings": .array(findings.map { .string($0) }),
    ])
  }
}
