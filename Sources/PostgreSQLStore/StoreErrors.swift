internal import PostgreSQL
public import Repository

extension EngineError {
  /// What PostgreSQL reported, as every engine's errors are told.
  init(_ error: PostgreSQLError) {
    let kind: Kind =
      switch error.kind {
      case .connection: .io
      case .readOnly: .readOnly
      case .conflict, .lockTimeout, .cancelled: .busy
      case .duplicate, .constraint: .constraint
      case .full: .full
      case .memory: .memory
      case .missing: .cannotOpen
      case .other: error.sqlState?.hasPrefix("XX00") == true ? .corrupt : .other
      }
    self.init(kind, error.description)
  }
}

extension RepositoryError {
  /// What PostgreSQL reported while nothing was stored.
  init(_ error: PostgreSQLError) {
    switch error.kind {
    case .connection, .readOnly: self = .unavailable(.unreachable(EngineError(error)))
    default: self.init(EngineError(error))
    }
  }
}

/// Why a database cannot be used.
public enum PostgreSQLStoreError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The server cannot be reached, or reported something.
  case server(EngineError)
  /// The server is older than PostgreSQL 15.
  case serverTooOld(version: Int)
  /// The database's encoding is not UTF8, so it would not refuse text that is none.
  case otherEncoding(String)
  /// The schema holds tables of something else.
  case foreign
  /// The schema is not migrated, and this command does not migrate.
  case notMigrated(newestKnown: Int)
  /// A newer version of this program has changed the schema, so that this one must not use it.
  case newer(version: Int, newestKnown: Int)
  /// A migration failed and left nothing behind.
  case migration(name: String, EngineError)

  /// For a person.
  public var description: String {
    switch self {
    case .server(let error): error.description
    case .serverTooOld(let version):
      "the server is PostgreSQL \(version / 10_000).\(version % 10_000); 15 or newer is needed"
    case .otherEncoding(let name):
      "the database's encoding is \(name); create it with ENCODING 'UTF8'"
    case .foreign:
      "the database holds tables of something else; conversationd needs a database, or a schema, "
        + "of its own"
    case .notMigrated(let newest):
      "the schema is not at version \(newest); run 'conversationd migrate'"
    case .newer(let version, let newest):
      "the schema is at version \(version), and needs a newer program than this one, which knows "
        + "version \(newest)"
    case .migration(let name, let error): "migration \(name) failed: \(error)"
    }
  }

  init(_ error: PostgreSQLError) {
    self = .server(EngineError(error))
  }
}
