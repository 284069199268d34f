import API
import ArgumentParser
import Conversations
import Repository

/// `conversationd import`
struct ImportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Store the conversations of an export in a project.",
    discussion: """
      Takes the lines that 'conversationd export' writes, and keeps ids, times and bytes. Ids stay in \
      the order of creation: a conversation is stored if its id sorts after all that the database \
      ever had, as in an empty one. Any other new line is skipped, and named as out_of_order; one that \
      is there with other content as different. A line that is there already changes nothing, so an \
      import that was interrupted is run again. An id or a time that is still to come ends it.

      A SQLite file must not be served meanwhile; a running server takes the same lines at \
      POST /v1/import. Exits with 65 when lines were skipped, or the rest of a conversation is missing.
      """)

  @OptionGroup var databaseOptions: DatabaseOptions
  @OptionGroup var jsonOption: JSONOption

  @Option(help: ArgumentHelp("The project, which must exist.", valueName: "name"))
  var project = Access.withoutKey.projectName

  @Option(
    name: .customLong("new-ids"),
    help: ArgumentHelp(
      """
      Give each conversation a new id and the present time, and write the old and the new ids into this \
      file, which must not exist, a pair a line. When that is interrupted, begin again with an empty \
      database: each run makes other ids.
      """, valueName: "file"))
  var newIDsFile: String?

  @Argument(help: "The file with the lines; '-' for standard input.")
  var file = "-"

  func run() throws {
    let settings = try databaseOptions.settings()
    let database = settings.database
    let input = try LineInput(file)
    let project = try database.project(named: project, in: database.openSource())
    let store = try database.openStore(settings)
    let map: NewFile?
    do {
      // Once the database is open, since a file that is left would refuse the next run.
      map = try newIDsFile.map { path throws(Failure) in try NewFile(path) }
    } catch {
      waitFor { await store.close() }
      throw error
    }
    let bar = ProgressBar()
    var run = ImportRun(
      database: database, store: store, project: project, map: map,
      types: ItemTypes(more: settings.api.moreItemTypes))
    let result = Result { () throws(Failure) in try run.run(input, bar) }
    bar.end()
    waitFor { await store.close() }
    show(run.total, in: database)
    try result.get()
    guard run.total.skipped.isEmpty, run.total.incomplete.isEmpty else {
      throw ExitCode(Failure.Kind.data.rawValue)
    }
  }

  private func show(_ report: ImportReport, in database: Database) {
    guard !jsonOption.isWanted else { return print(report.json(of: database).text) }
    for line in report.skipped { print("line \(line.line): \(line.id): \(line.reason)") }
    for line in report.incomplete {
      print("line \(line.line): \(line.id): the rest of the conversation is missing")
    }
    let continued = report.continuedCount > 0 ? ", \(report.continuedCount) continued" : ""
    print(
      "\(database): \(report.createdCount) conversations imported\(continued), "
        + "\(report.unchangedCount) unchanged, \(report.skipped.count) skipped")
  }
}

/// An import on its way: one piece of the lines is read while the one before is stored.
private struct ImportRun {
  /// How large a transaction is, about.
  private static let batchBytes = 4 << 20
  private static let batchCount = 5000

  let database: Database
  let store: any Store
  let project: ProjectID
  /// Gets the new ids; nil where ids are kept.
  let map: NewFile?
  /// Made once, since it is a table.
  let types: ItemTypes
  /// What has become of the lines so far.
  private(set) var total = ImportReport()
  private var pieces = PieceSequence()
  /// The last conversation of the pieces before, and what it has become.
  private var last: (old: ConversationID, new: ConversationID)?

  init(
    database: Database, store: any Store, project: ProjectID, map: NewFile?,
    types: ItemTypes
  ) {
    self.database = database
    self.store = store
    self.project = project
    self.map = map
    self.types = types
  }

  private struct Batch: Sendable {
    var records: [ConversationRecord] = []
    var lines: [Int] = []
    var bytes = 0

    var isFull: Bool { bytes >= ImportRun.batchBytes || records.count >= ImportRun.batchCount }
  }

  private typealias Outcome = Task<Result<[ImportOutcome], RepositoryError>, Never>

  mutating func run(_ input: LineInput, _ bar: ProgressBar) throws(Failure) {
    var running: (batch: Batch, task: Outcome)?
    var batch = Batch()
    var failure: Failure?
    repeat {
      batch = Batch()
      // What was read before a line that is wrong is stored all the same.
      do throws(Failure) {
        try fill(&batch, from: input)
      } catch {
        failure = error
      }
      if let (batch, task) = running { try finish(batch, task) }
      running = batch.records.isEmpty ? nil : start(&batch)
      if let part = input.part { bar.show("importing", part) }
    } while !batch.records.isEmpty && failure == nil
    if let (batch, task) = running { try finish(batch, task) }
    pieces.end()
    total.incomplete = pieces.incomplete
    if let map { try map.sync() }
    if let failure { throw failure }
  }

  private mutating func fill(_ batch: inout Batch, from input: LineInput) throws(Failure) {
    while !batch.isFull, let line = try input.next() {
      guard !line.allSatisfy({ $0 <= 0x20 }) else { continue }
      do throws(ExportLineError) {
        let record = try ExportLine.record(of: line, types: types)
        pieces.add(record, line: input.number)
        batch.records.append(record)
      } catch {
        throw Failure(.data, "line \(input.number): \(error); the lines before it are stored")
      }
      batch.lines.append(input.number)
      batch.bytes += line.count
    }
  }

  /// Begins to store a piece.
  private func start(_ batch: inout Batch) -> (Batch, Outcome) {
    var continuing = 0
    if let last {
      // It may go on with a conversation that has another id now.
      let rest = batch.records.prefix { $0.afterItem != nil && $0.conversation.id == last.old }
      continuing = rest.count
      for index in rest.indices { batch.records[index] = rest[index].renamed(to: last.new) }
    }
    let (records, mintsIDs, store, project) = (batch.records, map != nil, store, project)
    let task = Outcome { [continuing] in
      do throws(RepositoryError) {
        return .success(
          try await store.importRecords(
            records, mintsIDs: mintsIDs, continuing: continuing, in: project))
      } catch {
        return .failure(error)
      }
    }
    return (batch, task)
  }

  private mutating func finish(_ batch: Batch, _ task: Outcome) throws(Failure) {
    let outcomes: [ImportOutcome]
    do throws(RepositoryError) {
      outcomes = try waitFor { await task.value }.get()
    } catch {
      guard case .laterThanNow(let index) = error else { throw Failure(error, database: database) }
      throw Failure(
        .data,
        "line \(batch.lines[index]): the id of the conversation, or one of its times, is later than "
          + "now; the lines before line \(batch.lines[0]) are stored")
    }
    let report = ImportReport(outcomes, of: batch.records, lines: batch.lines)
    if let map {
      try map.write(report.newIDs.map { "\($0.old) \($0.new)\n" }.joined())
      if let pair = report.newIDs.last { last = pair }
    }
    total.add(report)
  }
}

extension Store {
  /// Stores the records of a piece.
  ///
  /// - Parameter count: How many of them, the first ones, go on with a conversation that an earlier piece
  ///   has given a new id.
  fileprivate func importRecords(
    _ records: [ConversationRecord], mintsIDs: Bool, continuing count: Int, in project: ProjectID
  ) async throws(RepositoryError) -> [ImportOutcome] {
    guard count > 0 else {
      return try await importRecords(records, mintsIDs: mintsIDs, in: project)
    }
    let first = try await importRecords(Array(records[..<count]), mintsIDs: false, in: project)
    do throws(RepositoryError) {
      let rest = Array(records[count...])
      return try await first + importRecords(rest, mintsIDs: mintsIDs, in: project)
    } catch {
      guard case .laterThanNow(let index) = error else { throw error }
      throw .laterThanNow(record: count + index)
    }
  }
}

extension ImportReport {
  fileprivate func json(of database: Database) -> JSONValue {
    .object([
      "database": .string("\(database)"), "created": .integer(Int64(createdCount)),
      "continued": .integer(Int64(continuedCount)), "unchanged": .integer(Int64(unchangedCount)),
      "skipped": .array(
        skipped.map { line in
          .object([
            "line": .integer(Int64(line.line)), "id": .string("\(line.id)"),
            "reason": .string(line.reason),
          ])
        }),
      "incomplete": .array(
        incomplete.map { line in
          .object(["line": .integer(Int64(line.line)), "id": .string("\(line.id)")])
        }),
    ])
  }
}
