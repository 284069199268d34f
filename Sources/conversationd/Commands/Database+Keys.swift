import Conversations
import Glibc
import PostgreSQL
import PostgreSQLStore
import Repository
import SQLiteStore

/// The API keys of a database.
extension Database {
  /// - Throws: `Failure` when there is no file.
  func requireThere() throws(Failure) {
    guard case .sqlite(let path) = self, access(path, F_OK) != 0, errno == ENOENT else { return }
    throw Failure(
      .unavailable,
      "database '\(path)' does not exist; 'conversationd migrate' creates it, or name another one "
        + "with --database")
  }

  /// Stores a key, and makes its project when that is new.
  func createKey(
    _ key: APIKey, name: String, project: String, rights: APIKeyRights, lifetimeSeconds: Int64?,
    requestsPerMinute: Int?, _ settings: Settings
  ) throws(Failure) -> APIKey {
    switch self {
    case .sqlite(let path):
      let keys = try openKeys(path, settings)
      do {
        return try keys.create(
          name: name, project: project, rights: rights, lifetimeSeconds: lifetimeSeconds,
          requestsPerMinute: requestsPerMinute, key: key)
      } catch {
        throw Failure(error, name: name, project: project, database: path)
      }
    case .postgreSQL(let url):
      var keys = try openKeys(url)
      do {
        return try keys.create(
          name: Self.checked(name), project: project, rights: rights,
          lifetimeSeconds: lifetimeSeconds, requestsPerMinute: requestsPerMinute, key: key)
      } catch {
        throw Failure(error, name: name, project: project, database: "\(url)")
      }
    }
  }

  /// Makes a key in the place of another, which counts for a while yet.
  ///
  /// - Parameter handOver: Gives the key to whoever asked for it; when it fails, nothing changes.
  /// - Returns: The name of the other one from now on, and the Unix second at which it ends.
  func rotateKey(
    name: String, project: String?, graceSeconds: Int64, _ settings: Settings,
    handOver: (APIKey) -> Bool
  ) throws(Failure) -> (oldName: String, endsAt: Int64) {
    switch self {
    case .sqlite(let path):
      let keys = try openKeys(path, settings)
      do {
        return try keys.rotate(
          name: name, project: project, graceSeconds: graceSeconds, handOver: handOver)
      } catch {
        throw Failure(error, name: name, project: project, database: path)
      }
    case .postgreSQL(let url):
      var keys = try openKeys(url)
      do {
        return try keys.rotate(
          name: name, project: project, graceSeconds: graceSeconds, handOver: handOver)
      } catch {
        throw Failure(error, name: name, project: project, database: "\(url)")
      }
    }
  }

  /// - Precondition: `APIKeys.check` found nothing wrong with the name.
  private static func checked(_ name: String) -> APIKeyName {
    guard let name = try? APIKeyName(name) else { preconditionFailure("a name that is none") }
    return name
  }

  /// Revokes the key of a name, for good.
  ///
  /// - Parameter project: Its project; nil where one project alone has such a key.
  func revokeKey(name: String, project: String?, _ settings: Settings) throws(Failure) {
    switch self {
    case .sqlite(let path):
      let keys = try openKeys(path, settings)
      do {
        try keys.revoke(name: name, project: project)
      } catch {
        throw Failure(error, name: name, project: project, database: path)
      }
    case .postgreSQL(let url):
      var keys = try openKeys(url)
      do {
        try keys.revoke(name: name, project: project)
      } catch {
        throw Failure(error, name: name, project: project, database: "\(url)")
      }
    }
  }

  /// All keys that were ever made, in that order.
  func keys(_ settings: Settings) throws(Failure) -> [APIKeyRecord] {
    switch self {
    case .sqlite(let path):
      let keys = try openKeys(path, settings, isReadOnly: true)
      do {
        return try keys.all()
      } catch {
        throw Failure(error, database: path)
      }
    case .postgreSQL(let url):
      var keys = try openKeys(url)
      do {
        return try keys.all()
      } catch {
        throw Failure(error, name: "", project: nil, database: "\(url)")
      }
    }
  }

  /// The projects, apart from one, that have conversations, and how many.
  func otherProjects(
    than project: String, _ settings: Settings
  ) throws(Failure) -> [(project: String, conversationCount: Int64)] {
    switch self {
    case .sqlite(let path):
      let keys = try openKeys(path, settings)
      do {
        return try keys.otherProjects(than: project)
      } catch {
        throw Failure(error, name: "", project: project, database: path)
      }
    case .postgreSQL(let url):
      var keys = try openKeys(url)
      do {
        return try keys.otherProjects(than: project)
      } catch {
        throw Failure(error, name: "", project: project, database: "\(url)")
      }
    }
  }

  private func openKeys(
    _ path: String, _ settings: Settings, isReadOnly: Bool = false
  ) throws(Failure) -> APIKeys {
    do {
      return try APIKeys(
        path: path, busyTimeoutMilliseconds: settings.sqlite.busyTimeoutMilliseconds,
        isReadOnly: isReadOnly)
    } catch {
      throw Failure(error, database: path)
    }
  }

  private func openKeys(_ url: DatabaseURL) throws(Failure) -> PostgreSQLKeys {
    do {
      return try PostgreSQLKeys(url: url)
    } catch {
      throw Failure(error, database: "\(url)")
    }
  }
}
