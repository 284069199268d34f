import Glibc
import PostgreSQL
import PostgreSQLStore
import Repository
import SQLiteStore

/// The database that the settings name, and what commands do with it, whichever engine it has.
enum Database: Sendable, CustomStringConvertible {
  case sqlite(path: String)
  case postgreSQL(DatabaseURL)

  /// - Parameters:
  ///   - path: The file.
  ///   - url: A URL; empty for the file.
  /// - Throws: `Failure` when it cannot be read, or libpq is missing.
  init(path: String, url: String) throws(Failure) {
    guard !url.isEmpty else {
      self = .sqlite(path: path)
      return
    }
    do {
      self = .postgreSQL(try DatabaseURL(url))
    } catch {
      throw Failure(error)
    }
  }

  /// As people see it: without a password.
  var description: String {
    switch self {
    case .sqlite(let path): path
    case .postgreSQL(let url): url.description
    }
  }

  /// Opens it as a server does, and migrates it.
  ///
  /// - Parameters:
  ///   - mustExist: Whether a file that is missing is an error.
  ///   - whenGroupEnded: Called after each group of writes.
  ///   - whenStopped: Called once when no further write is taken and the process should end.
  func open(
    _ settings: Settings, mustExist: Bool,
    whenGroupEnded: @escaping @Sendable (WriteGroup) -> Void,
    whenStopped: @escaping @Sendable () -> Void
  ) throws(Failure) -> any Store {
    switch self {
    case .sqlite(let path):
      var own = settings.sqlite
      own.shared = settings.store
      do {
        return try SQLiteStore(
          path: path, settings: own, mustExist: mustExist, whenGroupEnded: whenGroupEnded,
          whenStopped: whenStopped)
      } catch {
        throw Failure(error, database: path)
      }
    case .postgreSQL(let url):
      var own = settings.postgreSQL
      own.shared = settings.store
      do {
        return try PostgreSQLStore(url: url, settings: own, whenGroupEnded: whenGroupEnded)
      } catch {
        throw Failure(error, database: "\(url)")
      }
    }
  }

  /// Whether an API key was ever created; false when there is no database yet.
  func hasAPIKeys() throws(Failure) -> Bool {
    switch self {
    case .sqlite(let path):
      do {
        return try SQLiteStore.hasAPIKeys(path: path)
      } catch {
        throw Failure(error, database: path)
      }
    case .postgreSQL(let url):
      do {
        return try PostgreSQLStore.hasAPIKeys(url: url)
      } catch {
        throw Failure(error, database: "\(url)")
      }
    }
  }

  /// Applies the migrations that it lacks.
  ///
  /// - Parameter backsUp: Whether a file with something in it is copied before.
  func migrate(_ settings: Settings, backsUp: Bool) throws(Failure) -> MigrationReport {
    switch self {
    case .sqlite(let path):
      do {
        return try SQLiteStore.migrate(
          path: path, busyTimeoutMilliseconds: settings.sqlite.busyTimeoutMilliseconds,
          backsUp: backsUp)
      } catch {
        throw Failure(error, database: path)
      }
    case .postgreSQL(let url):
      do {
        return try PostgreSQLStore.migrate(url: url)
      } catch {
        throw Failure(error, database: "\(url)")
      }
    }
  }

  /// The file of the database, for commands that other engines have programs of their own for.
  ///
  /// - Parameters:
  ///   - command: The name of the command.
  ///   - program: What does the same for PostgreSQL.
  func file(for command: String, instead program: String) throws(Failure) -> String {
    guard case .sqlite(let path) = self else {
      throw Failure(
        .usage,
        "'conversationd \(command)' is for SQLite files, and the database is \(self): use "
          + "\(program), or pgBackRest")
    }
    return path
  }
}
