public import Conversations
internal import Dispatch
public import PostgreSQL
public import Repository
internal import Synchronization

/// Conversations in a PostgreSQL database, which any number of programs may share.
///
/// Requests run on lanes: threads with a connection each, of which one that is free takes everything
/// that waits as one group. A lane waits for the server; no other thread does.
public final class PostgreSQLStore: Store {
  /// How the store is used.
  public struct Settings: Sendable {
    /// What is common to all engines.
    public var shared: StoreSettings
    /// How many connections look up keys, conversations and items; at least 1.
    public var readLanes: Int
    /// How many connections write; at least 1.
    public var writeLanes: Int
    /// How many connections answer queries; at least 1.
    public var queryLanes: Int

    /// - Parameters:
    ///   - shared: What is common to all engines.
    ///   - readLanes: How many connections look up keys, conversations and items.
    ///   - writeLanes: How many connections write.
    ///   - queryLanes: How many connections answer queries.
    public init(
      shared: StoreSettings = StoreSettings(), readLanes: Int = 2, writeLanes: Int = 3,
      queryLanes: Int = 2
    ) {
      self.shared = shared
      self.readLanes = readLanes
      self.writeLanes = writeLanes
      self.queryLanes = queryLanes
    }
  }

  /// The most requests of a group: what one statement does at a time.
  private static let groupMax = 256

  /// What opening the database did to it.
  public let migration: MigrationReport

  let settings: Settings
  /// Answers Unix microseconds instead of the database, for tests.
  let clock: (@Sendable () -> Int64)?
  let keyUses = KeyUses()
  let counters = Counters()
  let health = Health()
  let reads: Lanes<WaitingLookUp>
  let writes: Lanes<Write>
  let queries: Lanes<Query>
  let isProbing = Atomic(false)
  private let readLanes: [LookUpLane]
  private let writeLanes: [WriteLane]
  private let queryLanes: [QueryLane]
  private let isCutOff = CutOff()

  /// Whether every query ends now, whatever its deadline.
  final class CutOff: Sendable {
    let isOver = Atomic(false)
  }

  /// Connects to a database and brings its schema to the newest version. Further connections are made
  /// when they are needed.
  ///
  /// - Parameters:
  ///   - url: The server and the database, which must exist.
  ///   - settings: How it is used.
  ///   - clock: Answers Unix microseconds instead of the database's clock, for tests.
  ///   - whenGroupEnded: Called after each group of writes, on the thread of its lane.
  /// - Throws: Why the database cannot be used.
  public convenience init(
    url: DatabaseURL, settings: Settings = Settings(), clock: (@Sendable () -> Int64)? = nil,
    whenGroupEnded: @escaping @Sendable (WriteGroup) -> Void = { _ in }
  ) throws(PostgreSQLStoreError) {
    try self.init(
      url: url, settings: settings, clock: clock, fencing: Patience.fencing,
      whenGroupEnded: whenGroupEnded)
  }

  /// Connects to a database that is migrated, for a command that only asks long queries.
  ///
  /// - Throws: Why the database cannot be used; `.notMigrated`.
  public convenience init(toRead url: DatabaseURL) throws(PostgreSQLStoreError) {
    var settings = Settings(queryLanes: 1)
    settings.shared.queryTimeoutMilliseconds = Self.longQueryMilliseconds
    try self.init(url: url, settings: settings, fencing: Patience.fencing, migrates: false)
  }

  private static let longQueryMilliseconds = 600_000

  /// - Parameters:
  ///   - fencing: How long the fence of a commit whose answer was lost may stay unanswered.
  ///   - migrates: Whether the schema is brought to the newest version, or must have it.
  init(
    url: DatabaseURL, settings: Settings = Settings(), clock: (@Sendable () -> Int64)? = nil,
    fencing: Duration, migrates: Bool = true,
    whenGroupEnded: @escaping @Sendable (WriteGroup) -> Void = { _ in }
  ) throws(PostgreSQLStoreError) {
    if migrates {
      migration = try Self.migrate(url: url)
    } else {
      _ = try Session.openMigrated(url)
      migration = MigrationReport(applied: [], backup: nil)
    }
    self.settings = settings
    self.clock = clock
    let (counters, health, keyUses, isCutOff) = (counters, health, keyUses, isCutOff)
    let readLanes = (0..<settings.readLanes).map { _ in
      LookUpLane(
        .reading(url), counters: counters, keyUses: keyUses, health: health, clock: clock)
    }
    let writeLanes = (0..<settings.writeLanes).map { _ in
      WriteLane(
        .writing(url), settings.shared, counters: counters, health: health, clock: clock,
        fencing: fencing, whenGroupEnded: whenGroupEnded)
    }
    let timeout = settings.shared.queryTimeoutMilliseconds
    let queryLanes = (0..<settings.queryLanes).map { _ in
      QueryLane(
        .querying(url, timeoutMilliseconds: timeout), counters: counters, health: health
      ) { isCutOff.isOver.load(ordering: .relaxed) }
    }
    reads = Lanes("read", count: settings.readLanes, groupMax: Self.groupMax) {
      readLanes[$0].run($1)
    }
    writes = Lanes(
      "write", count: settings.writeLanes, waitingMax: settings.shared.waitingWritesMax,
      groupMax: Self.groupMax
    ) { writeLanes[$0].run($1) }
    queries = Lanes("query", count: settings.queryLanes, groupMax: 1) { queryLanes[$0].run($1) }
    self.readLanes = readLanes
    self.writeLanes = writeLanes
    self.queryLanes = queryLanes
  }

  /// Applies the migrations that a database lacks.
  ///
  /// - Throws: Why the database cannot be used.
  public static func migrate(url: DatabaseURL) throws(PostgreSQLStoreError) -> MigrationReport {
    var connection = try Session.open(url)
    return MigrationReport(applied: try Migrator.migrate(&connection), backup: nil)
  }

  /// Whether a database has, or ever had, an API key; false when it has no schema yet.
  ///
  /// - Throws: Why the database cannot be used.
  public static func hasAPIKeys(url: DatabaseURL) throws(PostgreSQLStoreError) -> Bool {
    var connection = try Session.open(url)
    guard let state = try SchemaState.read(connection: &connection), state.version > 0 else {
      return false
    }
    do {
      let rows = try connection.run(
        [.once("SELECT EXISTS (SELECT 1 FROM api_keys)")], within: Patience.answering)
      return rows[0].bool(0, 0)
    } catch {
      throw PostgreSQLStoreError(error)
    }
  }

  // MARK: Reads

  /// Finds out who shows an API key, and reads the one thing that the request is about.
  public func look(_ lookUp: LookUp) -> Looked {
    .later { [self] in
      await withCheckedContinuation { continuation in
        let request = WaitingLookUp(lookUp: lookUp) { continuation.resume(returning: $0) }
        if reads.add(request) != nil { request.answer(.failure(.unavailable(.closed))) }
      }
    }
  }

  /// Reads a page of the conversations that a query asks for.
  ///
  /// - Parameter timeout: How long it may take, at most; nil for what the settings say.
  /// - Throws: `.cursorNotFound`, `.queryTimeout`, also when the task is cancelled.
  public func conversations(
    _ query: ConversationQuery, in project: ProjectID, within timeout: Duration?
  ) async throws(RepositoryError) -> ConversationPage {
    try await self.query(within: timeout) { session throws(RepositoryError) in
      guard let reader = ConversationReader(query, in: project, on: session) else {
        return ConversationPage()
      }
      return try reader.page()
    }
  }

  /// Counts the conversations that a query asks for.
  public func count(
    of query: ConversationQuery, upTo limit: Int, in project: ProjectID
  ) async throws(RepositoryError) -> ConversationCount {
    try await self.query { session throws(RepositoryError) in
      guard let reader = ConversationReader(query, in: project, on: session) else {
        return ConversationCount(0, isExact: true)
      }
      return try reader.count(upTo: limit).0
    }
  }

  /// Reads a page of the facets that a query asks for.
  public func facets(
    _ query: FacetQuery, in project: ProjectID
  ) async throws(RepositoryError) -> FacetPage {
    try await self.query { session throws(RepositoryError) in
      try FacetReader(session: session, project: project).page(query)
    }
  }

  /// Reads a page of a conversation's items.
  public func items(
    _ query: ItemQuery, of id: ConversationID, in project: ProjectID
  ) async throws(RepositoryError) -> ItemPage {
    try await self.query { session throws(RepositoryError) in
      try ItemReader(session: session, project: project).page(query, of: id)
    }
  }

  /// Runs a query on a lane of its own. It has to end when the task is cancelled.
  ///
  /// - Parameter timeout: How long it may take; nil for what the settings say, which is also how long
  ///   each of its statements may take.
  func query<Value: Sendable>(
    within timeout: Duration? = nil,
    _ body: @escaping @Sendable (QuerySession) throws(RepositoryError) -> Value
  ) async throws(RepositoryError) -> Value {
    let statementTimeout = Duration.milliseconds(settings.shared.queryTimeoutMilliseconds)
    let deadline = ContinuousClock.now + (timeout ?? statementTimeout)
    let cancellation = CutOff()
    let result: Result<Value, RepositoryError> = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let query = Query(
          run: { session in
            var result: Result<Value, RepositoryError>
            repeat {
              result = Result { () throws(RepositoryError) in try body(session) }
            } while result.isUnreachable && session.isBackAfterLoss
            continuation.resume(returning: result)
          }, refuse: { continuation.resume(returning: .failure($0)) }, deadline: deadline,
          statementTimeout: statementTimeout,
          isCancelled: { cancellation.isOver.load(ordering: .relaxed) })
        if queries.add(query) != nil { query.refuse(.unavailable(.closed)) }
      }
    } onCancel: {
      cancellation.isOver.store(true, ordering: .relaxed)
    }
    if case .failure(.queryTimeout) = result, isCutOff.isOver.load(ordering: .relaxed) {
      // An end that is not the query's own: another server may answer it.
      throw .unavailable(.closed)
    }
    return try result.get()
  }

  // MARK: The end

  /// Never: a commit whose end is unknown is that of its group alone.
  public var isStopped: Bool { false }

  /// From `timeout` on, queries end at once.
  public func prepareToClose(within timeout: Duration) {
    let isCutOff = isCutOff
    DispatchQueue.global().asyncAfter(deadline: .now() + timeout / .seconds(1)) {
      isCutOff.isOver.store(true, ordering: .relaxed)
    }
  }

  /// Takes no more requests, stores the writes that wait, and closes the connections.
  public func close() async {
    await queries.close { [queryLanes] in queryLanes[$0].close() }
    await writes.close { [writeLanes] in writeLanes[$0].close() }
    await reads.close { [readLanes] in readLanes[$0].close() }
  }
}

extension Result where Failure == RepositoryError {
  fileprivate var isUnreachable: Bool {
    if case .failure(.unavailable(.unreachable)) = self { true } else { false }
  }
}
