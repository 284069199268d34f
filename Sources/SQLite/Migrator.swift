/// Brings a database file to the newest version of its schema, or refuses a file that is not ours.
///
/// `application_id` says whose file it is and `user_version` how many migrations it has had
/// (https://www.sqlite.org/pragma.html#pragma_application_id).
public struct Migrator: Sendable {
  /// What the file says about itself.
  public enum State: Equatable, Sendable {
    /// Nothing in it yet.
    case empty
    /// Ours, with this many migrations applied.
    case version(Int)

    /// How many migrations the file has had.
    package var version: Int {
      switch self {
      case .empty: 0
      case .version(let version): version
      }
    }
  }

  private let applicationID: Int64
  private let migrations: [(name: String, sql: String)]

  /// - Parameters:
  ///   - applicationID: 32 bits that tell this program's files from those of others; not 0.
  ///   - migrations: All of them in order; the n-th takes a file to version n.
  public init(applicationID: Int32, migrations: [(name: String, sql: String)]) {
    precondition(applicationID != 0)
    self.applicationID = Int64(applicationID)
    self.migrations = migrations
  }

  /// The version that `migrate` ends with.
  public var newestVersion: Int { migrations.count }

  /// Reads whose file it is and how far it is migrated, and changes nothing.
  ///
  /// - Throws: `.foreign`, `.newer`, or `.sqlite` (`.notADatabase` for a file of another kind).
  public func state(of connection: borrowing Connection) throws(MigrationError) -> State {
    let (id, version, isEmpty) = try rethrowing { () throws(SQLiteError) in
      // One statement, and so one moment: another process may be migrating.
      let row = try connection.prepare(
        """
        SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
        FROM pragma_application_id, pragma_user_version
        """)
      guard try row.step() else { preconditionFailure("no row") }
      return (row.integer(0), Int(row.integer(1)), row.integer(2) == 0)
    }
    if id == 0, version == 0, isEmpty { return .empty }
    guard id == applicationID, version >= 0 else { throw .foreign(applicationID: id) }
    guard version <= newestVersion else {
      throw .newer(version: version, newestKnown: newestVersion)
    }
    return .version(version)
  }

  /// Applies what is missing, each migration in a transaction of its own. Several processes may do
  /// so at once: each step is applied by one of them. Leaves foreign keys off on the connection.
  ///
  /// - Returns: The names of those that this call applied.
  /// - Throws: What `state` throws; `.step` when a migration fails, and then that migration has
  ///   left nothing behind.
  public func migrate(_ connection: borrowing Connection) throws(MigrationError) -> [String] {
    var applied: [String] = []
    while try state(of: connection).version < newestVersion {
      // Foreign keys are off while a table is rebuilt, and checked afterwards; the switch does
      // nothing inside a transaction (https://www.sqlite.org/lang_altertable.html, section 7).
      try rethrowing { () throws(SQLiteError) in
        try connection.execute("PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE")
      }
      do {
        if let name = try applyNext(connection) { applied.append(name) }
      } catch {
        if !connection.isInAutocommit { try? connection.execute("ROLLBACK") }
        throw error
      }
    }
    return applied
  }

  /// Applies the migration that is next and commits, inside the transaction that its caller began.
  /// Another process may have been quicker, so the version is read again here.
  private func applyNext(_ connection: borrowing Connection) throws(MigrationError) -> String? {
    let version = try state(of: connection).version
    guard version < newestVersion else {
      try rethrowing { () throws(SQLiteError) in try connection.execute("COMMIT") }
      return nil
    }
    let (name, sql) = migrations[version]
    do {
      try connection.execute(sql)
      precondition(!connection.isInAutocommit, "\(name) ends its transaction")
      let isConsistent = try !connection.prepare("PRAGMA foreign_key_check").step()
      guard isConsistent else { throw MigrationError.foreignKeys(step: name) }
      try connection.execute(
        """
        PRAGMA application_id = \(applicationID); PRAGMA user_version = \(version + 1); COMMIT
        """)
    } catch let error as SQLiteError {
      throw .step(name: name, error)
    } catch {
      throw .foreignKeys(step: name)
    }
    return name
  }

  /// Runs what only reads or locks, so that its error is not blamed on a migration.
  private func rethrowing<T>(_ body: () throws(SQLiteError) -> T) throws(MigrationError) -> T {
    do {
      return try body()
    } catch {
      throw .sqlite(error)
    }
  }
}

/// Why a database was not migrated.
public enum MigrationError: Error, Equatable, Sendable {
  /// The file belongs to another program; 0 when it has tables and names no program. Ours, with a
  /// version below 0, was changed by one.
  case foreign(applicationID: Int64)
  /// A newer version of this program migrated the file.
  case newer(version: Int, newestKnown: Int)
  /// One migration failed and left nothing behind.
  case step(name: String, SQLiteError)
  /// One migration would have broken a foreign key, and left nothing behind.
  case foreignKeys(step: String)
  /// SQLite could not read or lock the file.
  case sqlite(SQLiteError)
}
