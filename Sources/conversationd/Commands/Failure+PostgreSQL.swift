import PostgreSQL
import PostgreSQLStore
import Repository
import SQLiteStore

extension Failure {
  /// A URL that names no database.
  init(_ error: DatabaseURLError) {
    switch error {
    case .library: self.init(.unavailable, "\(error)")
    default: self.init(.configuration, "setting 'database.url': \(error)")
    }
  }

  /// A database of PostgreSQL that cannot be used.
  ///
  /// - Parameter database: Its URL, without a password.
  init(_ error: PostgreSQLStoreError, database: String) {
    self.init(Kind(error), "database '\(database)': \(error)")
  }

  /// A key that cannot be made, rotated or revoked.
  ///
  /// - Parameters:
  ///   - project: The project that was named, if one was.
  ///   - database: Its URL, without a password.
  init(_ error: PostgreSQLKeysError, name: String, project: String?, database: String) {
    let shared: APIKeysError
    switch error {
    case .secretTaken: shared = .secretTaken
    case .nameTaken: shared = .nameTaken
    case .noSuchKey: shared = .noSuchKey
    case .ambiguousName(let projects): shared = .ambiguousName(projects: projects)
    case .notHandedOver: shared = .notHandedOver
    case .database(let error):
      self.init(error, database: database)
      return
    }
    self.init(shared, name: name, project: project, database: database)
  }
}

extension Failure.Kind {
  fileprivate init(_ error: PostgreSQLStoreError) {
    self =
      switch error {
      case .server(let error): Failure.Kind(error)
      case .serverTooOld, .otherEncoding: .unavailable
      case .foreign, .notMigrated, .newer: .data
      case .migration: .software
      }
  }

  private init(_ error: EngineError) {
    self =
      switch error.kind {
      case .busy, .cannotOpen, .io, .readOnly, .other: .unavailable
      case .full: .io
      case .constraint, .corrupt, .notADatabase: .data
      case .memory: .software
      }
  }
}
