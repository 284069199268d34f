import ArgumentParser
import Conversations
import Repository

/// `conversationd retention`
struct RetentionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "retention",
    abstract: "Show what the rules of retention would delete and keep.",
    discussion: """
      The rules are those of the setting retention.rules. A server deletes by them, now and then; this \
      command deletes nothing, and may run beside a server. A keep rule is shown with the number of \
      conversations that would be deleted without it.
      """)

  @OptionGroup var databaseOptions: DatabaseOptions
  @OptionGroup var jsonOption: JSONOption

  @Flag(help: "Required: this command only previews deletions.")
  var dryRun = false

  @Flag(help: "Print the id of each conversation, and its project.")
  var ids = false

  func validate() throws {
    guard dryRun else {
      throw ValidationError("a server deletes by the rules; --dry-run shows what would go")
    }
    if ids, jsonOption.isWanted {
      throw ValidationError("--ids and --json exclude each other")
    }
  }

  func run() throws {
    let settings = try databaseOptions.settings()
    let rules = settings.retention
    if !jsonOption.isWanted {
      writeError("By the rules for \(settings.database), a server would delete or keep now:")
    }
    let preview = try settings.database.findOld(rules, settings) { [ids] project, found in
      guard ids else { return }
      for listed in found { print("\(listed.conversation.id) \(project.name)") }
    }
    for rule in preview.withoutProject {
      writeError("Warning: no project is named as in the rule '\(rule)', which does nothing")
    }
    if ids { return }
    let lines = zip(rules.deletions + rules.keeps, preview.deletions + preview.keeps)
    if jsonOption.isWanted {
      let values = lines.map { rule, count in
        JSONValue.object([
          "action": .string(rule.action.rawValue), "rule": .string("\(rule)"),
          "conversations": .integer(Int64(count)),
        ])
      }
      print(JSONValue.array(values).text)
      return
    }
    let rows = lines.map { ["\($0)", "\($1)"] }
    for line in Table([["RULE", "CONVERSATIONS"]] + rows).lines { print(line) }
  }
}
