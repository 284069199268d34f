import API
import ArgumentParser
import Conversations
import Glibc
import Repository

/// `conversationd export`
struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write the conversations of a project to standard output, as JSON lines.",
    discussion: """
      Each line is a conversation with its items, its times and its metadata, in the order of ids, \
      as 'conversationd import' takes it; a conversation over 8 MiB has several lines. May run beside servers. Each line is as of one moment; the \
      whole is not, so nothing keeps the server's write-ahead log from being checkpointed: an update \
      that comes meanwhile may be in it or not. API keys and idempotency keys are not in it; a whole \
      database is copied by 'conversationd backup'.
      """)

  @OptionGroup var databaseOptions: DatabaseOptions

  @Option(help: ArgumentHelp("The project.", valueName: "name"))
  var project = Access.withoutKey.projectName

  @Option(
    help: ArgumentHelp(
      """
      Only conversations with this metadata. Several for one key are alternatives; of several keys all \
      must be there.
      """, valueName: "key=value"))
  var metadata: [String] = []

  @Option(
    help: ArgumentHelp(
      """
      Only conversations that were created then or later: a date as in 2026-01-31, a time as in \
      2026-01-31T12:00:00Z, or Unix seconds.
      """, valueName: "time"))
  var since: String?

  func run() throws {
    let database = try databaseOptions.settings().database
    let query = try query()
    let source = try database.openSource()
    let project = try database.project(named: project, in: source)
    let bar = ProgressBar()
    defer { bar.end() }
    let leftOut: Int
    do {
      leftOut = try write(source, query, in: project, bar)
    } catch let error as RepositoryError {
      throw Failure(error, database: database)
    }
    guard leftOut == 0 else {
      throw Failure(
        .data,
        "\(leftOut) conversations or items were left out, since what is stored of them is not valid; "
          + "'conversationd check' says which")
    }
  }

  private func query() throws(Failure) -> ConversationQuery {
    var query = ConversationQuery()
    for condition in metadata {
      guard let cut = condition.utf8.firstIndex(of: UInt8(ascii: "=")) else {
        throw Failure(.usage, "--metadata \(condition): expected KEY=VALUE")
      }
      let value = condition.utf8[condition.utf8.index(after: cut)...]
      do {
        try query.require(
          Metadata.Pair(key: String(condition[..<cut]), value: String(Substring(value))))
      } catch {
        throw Failure(.usage, "--metadata \(condition): no metadata can be so, or it is too much")
      }
    }
    query.createdFrom = try since.map { text throws(Failure) in
      guard let seconds = Timestamp.seconds(text) else {
        throw Failure(
          .usage,
          "--since \(text): expected a date as in 2026-01-31, a time as in 2026-01-31T12:00:00Z, or "
            + "Unix seconds")
      }
      return seconds
    }
    return query
  }

  /// - Returns: How many conversations and items were left out.
  private func write(
    _ source: any ExportSource, _ query: ConversationQuery, in project: ProjectID,
    _ bar: ProgressBar
  ) throws -> Int {
    var leftOut = 0
    var progress = ExportProgress(newest: try source.newestID(in: project))
    var place: ExportPlace?
    repeat {
      let page = try source.exportPage(
        query, from: place, in: project, bytesMax: ExportPage.bytesMax)
      var bytes: [UInt8] = []
      for record in page.records { ExportLine.append(record, to: &bytes) }
      do {
        try writeAll(bytes, to: STDOUT_FILENO)
      } catch {
        throw Failure(.io, "standard output: \(error)")
      }
      leftOut += page.unreadable.count + page.unreadableItemCount
      bar.show("exporting", progress.part(after: page.records.last?.conversation.id))
      place = page.next
    } while place != nil
    bar.show("exporting", 1)
    return leftOut
  }
}

/// Tells how far an export is, by the times of the conversations: nobody counts them before.
struct ExportProgress {
  private let newest: ConversationID?
  private var first: Int64?

  /// - Parameter newest: The last conversation that there is at the beginning.
  init(newest: ConversationID?) {
    self.newest = newest
  }

  /// - Returns: The part that is done.
  mutating func part(after id: ConversationID?) -> Double {
    guard let newest = newest?.createdAtMicroseconds, let id else { return 1 }
    let first = first ?? id.createdAtMicroseconds
    self.first = first
    let done = id.createdAtMicroseconds - first
    return newest > first ? Double(done) / Double(newest - first) : 1
  }
}
