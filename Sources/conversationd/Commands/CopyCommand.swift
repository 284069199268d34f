import ArgumentParser
import Conversations
import PostgreSQL
import Repository

/// `conversationd copy`
struct CopyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "copy",
    abstract: "Copy a whole database into an empty one, of the same or the other engine.",
    discussion: """
      Copies projects, API keys, conversations with their items and times, and then compares all of \
      it. Stop the servers of both before. A SQLite file that is missing is made, and a database of \
      an older version is refused as --from and migrated as --to. A copy that was interrupted is run \
      again: what is there is compared, and the rest is copied. A database with anything else in it is \
      refused, and nothing in it is changed.

      A URL begins with postgresql://, and has no password: a password file (passfile=FILE in the URL) \
      or PGPASSWORD has it. Idempotency keys are not copied: what a client repeats counts as new.
      """)

  @Option(
    help: ArgumentHelp(
      "The configuration file; else the one that \(SettingLayers.fileVariable) names.",
      valueName: "file"))
  var config: String?

  @Option(help: ArgumentHelp("The database to read.", valueName: "file-or-url"))
  var from: String

  @Option(help: ArgumentHelp("The database to fill.", valueName: "file-or-url"))
  var to: String

  func run() throws {
    // What the settings say of a database is not meant here.
    let layers = try SettingLayers(
      flags: ["database.path": "-"], environment: processEnvironment(), file: config)
    let settings = try Settings(layers)
    let (from, to) = (try Self.database(from), try Self.database(to))
    guard "\(from)" != "\(to)" else { throw Failure(.usage, "\(from) is both --from and --to") }
    let source = try from.openSource(locksServersOut: true)
    _ = try to.migrate(settings, backsUp: true)
    let store = try to.openStore(settings)
    let bar = ProgressBar()
    let result = Result { () throws(Failure) in
      let copy = try Copy(
        from: from, source, to: to, try to.openSource(), store: store, bar: bar)
      return try copy.run()
    }
    bar.end()
    waitFor { await store.close() }
    let count = try result.get()
    print("copied \(from) to \(to), and compared them: \(count) conversations")
  }

  private static func database(_ text: String) throws(Failure) -> Database {
    guard DatabaseURL.isURL(text) else { return try Database(path: text, url: "") }
    let database = try Database(path: "", url: text)
    guard !"\(database)".contains(":***") else {
      throw Failure(
        .usage,
        "others can read the password on the command line: leave it out of the URL, and name a file "
          + "with it as passfile, or set PGPASSWORD")
    }
    return database
  }
}

/// A copy on its way.
private struct Copy {
  /// How large a transaction is, about.
  private static let batchBytes = 4 << 20
  private static let batchCount = 5000

  let from: Database
  let to: Database
  let source: any ExportSource
  let target: any ExportSource
  let store: any Store
  let bar: ProgressBar
  private let projects: [ProjectID]

  /// Looks whether the target may become a copy, and copies what conversations need.
  init(
    from: Database, _ source: any ExportSource, to: Database, _ target: any ExportSource,
    store: any Store, bar: ProgressBar
  ) throws(Failure) {
    (self.from, self.source, self.to, self.target) = (from, source, to, target)
    (self.store, self.bar) = (store, bar)
    let all = try asked(from) { () throws(RepositoryError) in try source.installation() }
    let there = try asked(to) { () throws(RepositoryError) in try target.installation() }
    projects = all.projects.map(\.id)
    guard let missing = all.missing(in: there) else { throw Self.notACopy(to, of: from) }
    guard missing.projects.isEmpty, missing.keys.isEmpty else {
      // A copy begins with these: one that lacks some of them has nothing else.
      for project in there.projects {
        let newest = try asked(to) { () throws(RepositoryError) in
          try target.newestID(in: project.id)
        }
        guard newest == nil else { throw Self.notACopy(to, of: from) }
      }
      let result = waitFor { [store] in
        do throws(RepositoryError) {
          try await store.add(missing)
          return RepositoryError?.none
        } catch {
          return error
        }
      }
      if let error = result { throw Failure(error, database: to) }
      return
    }
  }

  /// - Returns: How many conversations there are.
  func run() throws(Failure) -> Int {
    try copyMissing()
    return try compare()
  }

  private static func notACopy(_ to: Database, of from: Database) -> Failure {
    Failure(
      .data, "database '\(to)' has something that '\(from)' does not have; nothing was changed")
  }

  /// Passes what the target has, and adds what follows it.
  private func copyMissing() throws(Failure) {
    var records = try MergedRecords(from, source, projects)
    var there = try MergedRecords(to, target, projects)
    while let found = try there.next() {
      guard let record = try records.next(), record == found else {
        throw Self.notACopy(to, of: from)
      }
      bar.show("comparing", records.part)
    }
    var batch: [ProjectRecords] = []
    var (bytes, count) = (0, 0)
    while let one = try records.next() {
      // The pieces of a conversation stay together, so that a copy which is interrupted ends with a
      // whole one.
      if one.record.afterItem == nil, bytes >= Self.batchBytes || count >= Self.batchCount {
        try add(batch)
        (batch, bytes, count) = ([], 0, 0)
        bar.show("copying  ", records.part)
      }
      if batch.last?.project == one.project {
        batch[batch.count - 1].records.append(one.record)
      } else {
        batch.append(ProjectRecords(one.project, [one.record]))
      }
      bytes += one.record.byteCount
      count += 1
    }
    try add(batch)
    bar.show("copying  ", 1)
  }

  private func add(_ batch: [ProjectRecords]) throws(Failure) {
    let outcomes = waitFor { [store] in
      do throws(RepositoryError) {
        return Result<_, RepositoryError>.success(
          try await store.importRecords(batch, mintsIDs: false))
      } catch {
        return .failure(error)
      }
    }
    let isAdded = try asked(to) { () throws(RepositoryError) in
      try outcomes.get().allSatisfy { outcome in
        if case .created = outcome { true } else { outcome == .continued }
      }
    }
    guard isAdded else {
      throw Failure(.data, "'\(to)' did not take what '\(from)' has: somebody else writes to it")
    }
  }

  /// Compares all that both have.
  private func compare() throws(Failure) -> Int {
    let all = try asked(from) { () throws(RepositoryError) in try source.installation() }
    let there = try asked(to) { () throws(RepositoryError) in try target.installation() }
    guard all.isSame(as: there) else { throw notTheSame }
    var records = try MergedRecords(from, source, projects)
    var copies = try MergedRecords(to, target, projects)
    var count = 0
    while true {
      let (record, copy) = (try records.next(), try copies.next())
      guard record == copy else { throw notTheSame }
      guard let record else { break }
      if record.record.afterItem == nil { count += 1 }
      bar.show("comparing", records.part)
    }
    bar.show("comparing", 1)
    return count
  }

  private var notTheSame: Failure {
    Failure(
      .data,
      "'\(to)' is not the same as '\(from)': somebody has written to one of them meanwhile; stop "
        + "their servers, and run the copy again, into an empty database if need be")
  }
}

/// The records of all projects, in the order of ids: so they were made, and so a SQLite file takes them.
private struct MergedRecords {
  /// How large the pieces are in which a project is read; few, since there may be many projects.
  private static let pageBytes = 256 << 10

  struct One: Equatable {
    let project: ProjectID
    let record: ConversationRecord
  }

  private struct Stream {
    let project: ProjectID
    var records: ArraySlice<ConversationRecord> = []
    var next: ExportPlace?
    var isAtEnd = false
  }

  private let database: Database
  private let source: any ExportSource
  private var streams: [Stream] = []
  private var progress: ExportProgress

  init(
    _ database: Database, _ source: any ExportSource, _ projects: [ProjectID]
  ) throws(Failure) {
    self.database = database
    self.source = source
    var newest: ConversationID?
    for project in projects {
      let id = try asked(database) { () throws(RepositoryError) in
        try source.newestID(in: project)
      }
      newest = [newest, id].compactMap(\.self).max()
    }
    progress = ExportProgress(newest: newest)
    for project in projects {
      var stream = Stream(project: project)
      try fill(&stream)
      streams.append(stream)
    }
  }

  /// Which part has been read.
  private(set) var part = 0.0

  mutating func next() throws(Failure) -> One? {
    let index = streams.indices.filter { !streams[$0].records.isEmpty }.min {
      streams[$0].records.first!.conversation.id < streams[$1].records.first!.conversation.id
    }
    guard let index else { return nil }
    let record = streams[index].records.removeFirst()
    if streams[index].records.isEmpty { try fill(&streams[index]) }
    part = progress.part(after: record.conversation.id)
    return One(project: streams[index].project, record: record)
  }

  private func fill(_ stream: inout Stream) throws(Failure) {
    while stream.records.isEmpty, !stream.isAtEnd {
      let (project, place) = (stream.project, stream.next)
      let page = try asked(database) { () throws(RepositoryError) in
        try source.exportPage(
          ConversationQuery(), from: place, in: project, bytesMax: Self.pageBytes)
      }
      guard page.unreadable.isEmpty, page.unreadableItemCount == 0 else {
        throw Failure(
          .data,
          "database '\(database)' has rows that are not valid; 'conversationd check' says which")
      }
      stream.records = page.records[...]
      stream.next = page.next
      stream.isAtEnd = page.next == nil
    }
  }
}

/// Runs what a database may fail to do.
private func asked<T>(
  _ database: Database, _ body: () throws(RepositoryError) -> T
) throws(Failure) -> T {
  do throws(RepositoryError) {
    return try body()
  } catch {
    throw Failure(error, database: database)
  }
}
