import Conversations
import PostgreSQLStore
import Repository
import SQLiteStore

/// What commands read and write of a database's conversations.
extension Database {
  /// Opens it to be read, beside its servers.
  ///
  /// - Parameter locksServersOut: Whether no server may have a file open meanwhile.
  func openSource(locksServersOut: Bool = false) throws(Failure) -> any ExportSource {
    try requireThere()
    switch self {
    case .sqlite(let path):
      do {
        return try SQLiteSource(path: path, locksServersOut: locksServersOut)
      } catch {
        throw Failure(error, database: path)
      }
    case .postgreSQL(let url):
      do {
        return try PostgreSQLSource(url: url)
      } catch {
        throw Failure(error, database: "\(url)")
      }
    }
  }

  /// Finds a project of the database.
  func project(named name: String, in source: any ExportSource) throws(Failure) -> ProjectID {
    do throws(RepositoryError) {
      if let project = try source.project(named: name) { return project }
    } catch {
      throw Failure(error, database: self)
    }
    throw Failure(
      .data,
      "database '\(self)' has no project '\(name)'; 'conversationd keys create --project' makes "
        + "one")
  }

  /// Opens it to be written, as a server does.
  func openStore(_ settings: Settings) throws(Failure) -> any Store {
    try open(settings, mustExist: true, whenGroupEnded: { _ in }, whenStopped: {})
  }
}

extension Failure {
  /// What a database did not do.
  init(_ error: RepositoryError, database: Database) {
    self.init(Kind(error), "database '\(database)': \(error)")
  }
}

extension Failure.Kind {
  fileprivate init(_ error: RepositoryError) {
    self =
      switch error {
      case .unavailable, .queryTimeout: .unavailable
      case .storageFull, .commitUnknown: .io
      case .storage(let error) where error.kind == .io: .io
      case .storage(let error) where error.kind == .corrupt: .data
      default: .software
      }
  }
}
