internal import Migrations
internal import PostgreSQL
internal import Repository

/// Brings the schema of a database to the newest version. `schema_state` has one row: the version, and
/// the oldest program, by the newest version that it knows, that may still use the schema.
///
/// Steps only add, so that an old and a new program run beside each other; a step after which an old
/// one would be wrong raises `oldest_program`.
enum Migrator {
  private static let migrations = Migrations.postgreSQL

  /// The version that this program knows.
  static var newestVersion: Int { migrations.count }

  /// How long one program waits for another one's migration.
  private static let lockSeconds = 60

  /// Applies what is missing. Several programs may do so at once: each step is applied by one of them.
  ///
  /// - Returns: The names of the migrations that this call applied.
  /// - Throws: Why the schema cannot be used; a step that fails leaves nothing of this call behind.
  static func migrate(
    _ connection: inout Connection
  ) throws(PostgreSQLStoreError) -> [String] {
    if let state = try SchemaState.read(connection: &connection) {
      guard state.version < newestVersion else {
        try state.require()
        return []
      }
    } else {
      try makeStateTable(&connection)
    }
    do {
      // The row is the lock: whoever gets it later sees what was applied meanwhile.
      _ = try connection.run(
        [
          .once("BEGIN ISOLATION LEVEL READ COMMITTED"),
          .once("SET LOCAL lock_timeout = '\(lockSeconds)s'"),
          // So that the functions of the schema find its tables in whoever's session they run.
          .once("SELECT set_config('search_path', quote_ident(current_schema()), true)"),
          .once("SELECT 1 FROM schema_state WHERE one = 1 FOR UPDATE"),
        ], within: .seconds(lockSeconds + 10))
      let applied = try applyMissing(&connection)
      try connection.execute("COMMIT")
      return applied
    } catch let error as PostgreSQLError {
      try? connection.execute("ROLLBACK")
      throw PostgreSQLStoreError(error)
    } catch let error as PostgreSQLStoreError {
      try? connection.execute("ROLLBACK")
      throw error
    } catch {
      preconditionFailure("no other error is thrown")
    }
  }

  /// Two programs that make it at once may collide, `IF NOT EXISTS` or not: of the two, one finds the
  /// table, its type or its row in PostgreSQL's catalog in the middle of making its own. It has to
  /// try again, since the other one may not have committed yet; the next time waits for it.
  private static func makeStateTable(
    _ connection: inout Connection, attempts: Int = 5
  ) throws(PostgreSQLStoreError) {
    do {
      try connection.execute(
        """
        CREATE TABLE IF NOT EXISTS schema_state (
          one smallint PRIMARY KEY CHECK (one = 1),
          version integer NOT NULL,
          oldest_program integer NOT NULL
        );
        INSERT INTO schema_state VALUES (1, 0, 1) ON CONFLICT DO NOTHING
        """)
    } catch {
      guard error.kind == .duplicate, attempts > 1 else { throw PostgreSQLStoreError(error) }
      return try makeStateTable(&connection, attempts: attempts - 1)
    }
  }

  private static func applyMissing(
    _ connection: inout Connection
  ) throws(PostgreSQLStoreError) -> [String] {
    guard let state = try SchemaState.read(connection: &connection) else {
      preconditionFailure("the row is there, and locked")
    }
    try state.require()
    var applied: [String] = []
    for (name, sql) in migrations.dropFirst(state.version) {
      do {
        try connection.execute(sql)
        try connection.execute("UPDATE schema_state SET version = version + 1")
      } catch {
        throw .migration(name: name, EngineError(error))
      }
      applied.append(name)
    }
    return applied
  }
}

/// What a schema says of itself.
struct SchemaState: Equatable {
  /// How many migrations it has had.
  let version: Int
  /// The oldest program that may use it, by the newest version that it knows.
  let oldestProgram: Int

  /// Reads the state of the schema that the connection works in.
  ///
  /// - Returns: nil when there is none yet.
  /// - Throws: `.foreign` when there are other tables instead.
  static func read(
    connection: inout Connection, within timeout: Duration = .seconds(30)
  ) throws(PostgreSQLStoreError) -> SchemaState? {
    do {
      let tables = try connection.run(
        [
          .once(
            """
            SELECT count(*), count(*) FILTER (WHERE relname = 'schema_state') FROM pg_class
            WHERE relnamespace = to_regnamespace(quote_ident(current_schema()))
              AND relkind IN ('r', 'p')
            """)
        ], within: timeout)[0]
      guard tables.int64(0, 1) == 1 else {
        if tables.int64(0, 0) == 0 { return nil }
        throw PostgreSQLStoreError.foreign
      }
      let rows = try connection.run(
        [.once("SELECT version, oldest_program FROM schema_state WHERE one = 1")],
        within: timeout)[0]
      guard rows.count == 1 else { return nil }
      return SchemaState(
        version: Int(rows.int64(0, 0)), oldestProgram: Int(rows.int64(0, 1)))
    } catch let error as PostgreSQLStoreError {
      throw error
    } catch let error as PostgreSQLError {
      throw PostgreSQLStoreError(error)
    } catch {
      preconditionFailure("no other error is thrown")
    }
  }

  /// - Throws: `.newer` when this program must not use the schema.
  func require() throws(PostgreSQLStoreError) {
    guard oldestProgram <= Migrator.newestVersion else {
      throw .newer(version: version, newestKnown: Migrator.newestVersion)
    }
  }
}
