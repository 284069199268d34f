internal import PostgreSQL
internal import Repository

/// How the connections of a store are opened.
struct SessionSettings: Sendable {
  let url: DatabaseURL
  /// What is set in each session.
  let script: String
  /// What is prepared in each session.
  let statements: [Statement]

  /// Generic plans are chosen once, from the statements alone: every condition of ours is an index
  /// condition, so neither values nor statistics could suggest anything better, only worse. Scans of
  /// whole tables, joins that begin with one, and dear look-ups in an index are what would lead a
  /// planner to them that finds the tables still small.
  private static let common = """
    SET plan_cache_mode = force_generic_plan
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET random_page_cost = 0.1
    SET jit = off
    SET client_min_messages = warning

    """

  /// Sessions that write. What a program that hangs holds is free again after seconds.
  static func writing(_ url: DatabaseURL) -> SessionSettings {
    SessionSettings(
      url: url,
      script: common + """
        SET conversationd.lane = 'on'
        SET lock_timeout = '3s'
        SET idle_in_transaction_session_timeout = '5s'
        SET statement_timeout = '10s'
        """, statements: WriteStatements.all)
  }

  /// Sessions that look things up.
  static func reading(_ url: DatabaseURL) -> SessionSettings {
    SessionSettings(
      url: url,
      script: common + """
        SET default_transaction_read_only = on
        SET statement_timeout = '5s'
        """, statements: LookUpStatements.all)
  }

  /// Sessions that answer queries.
  static func querying(_ url: DatabaseURL, timeoutMilliseconds: Int) -> SessionSettings {
    SessionSettings(
      url: url,
      script: common + """
        SET default_transaction_read_only = on
        SET idle_in_transaction_session_timeout = '5s'
        SET statement_timeout = \(timeoutMilliseconds)
        """, statements: QueryStatements.all)
  }

  /// Opens a connection and prepares all that runs on it.
  ///
  /// - Throws: Why it cannot be used, also when a newer program has taken the schema over.
  ///
  /// - Parameter timeout: How long the server may take to answer, once it is connected to.
  func open(
    within timeout: Duration = Patience.answering
  ) throws(PostgreSQLStoreError) -> Connection {
    var connection = try Session.open(url)
    guard let state = try SchemaState.read(connection: &connection, within: timeout) else {
      throw .notMigrated(newestKnown: Migrator.newestVersion)
    }
    try state.require()
    guard state.version >= Migrator.newestVersion else {
      throw .notMigrated(newestKnown: Migrator.newestVersion)
    }
    do {
      let settings = script.split(separator: "\n").map { Call.once(String($0)) }
      _ = try connection.run(settings, within: timeout)
      try connection.prepare(statements, within: timeout)
    } catch {
      throw PostgreSQLStoreError(error)
    }
    return connection
  }
}

/// Opens connections.
enum Session {
  private static let oldestServer = 150_000

  /// Connects to a server and a database that can be used.
  static func open(_ url: DatabaseURL) throws(PostgreSQLStoreError) -> Connection {
    let connection: Connection
    do {
      connection = try Connection(url)
    } catch {
      throw PostgreSQLStoreError(error)
    }
    guard connection.serverVersion >= oldestServer else {
      throw .serverTooOld(version: connection.serverVersion)
    }
    let encoding = connection.parameter("server_encoding") ?? "unknown"
    guard encoding == "UTF8" else { throw .otherEncoding(encoding) }
    return connection
  }

  /// Connects to a database that is migrated, for a command.
  ///
  /// - Throws: Why it cannot be used; `.notMigrated`.
  static func openMigrated(_ url: DatabaseURL) throws(PostgreSQLStoreError) -> Connection {
    var connection = try open(url)
    guard let state = try SchemaState.read(connection: &connection),
      state.version >= Migrator.newestVersion
    else { throw .notMigrated(newestKnown: Migrator.newestVersion) }
    try state.require()
    return connection
  }
}
