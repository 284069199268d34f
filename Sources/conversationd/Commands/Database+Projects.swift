import PostgreSQL
import PostgreSQLStore
import Repository
import SQLiteStore

/// The projects of a database.
extension Database {
  /// All projects, by their names.
  func projects(_ settings: Settings) throws(Failure) -> [ProjectRecord] {
    switch self {
    case .sqlite(let path):
      let projects = try openProjects(path, settings, isReadOnly: true)
      do {
        return try projects.all()
      } catch {
        throw Failure(error, database: path)
      }
    case .postgreSQL(let url):
      var projects = try openProjects(url)
      do {
        return try projects.all()
      } catch {
        throw Failure(error, project: "", database: "\(url)")
      }
    }
  }

  /// Deletes what is in a project.
  ///
  /// - Parameter progress: Called again and again with how many conversations were deleted.
  func deleteProject(
    _ name: String, _ settings: Settings, progress: (Int) -> Void
  ) throws(Failure) -> ProjectDeletion {
    switch self {
    case .sqlite(let path):
      var projects = try openProjects(path, settings)
      do {
        return try projects.delete(name, progress: progress)
      } catch {
        throw Failure(error, project: name, database: path)
      }
    case .postgreSQL(let url):
      var projects = try openProjects(url)
      do {
        return try projects.delete(name, progress: progress)
      } catch {
        throw Failure(error, project: name, database: "\(url)")
      }
    }
  }

  private func openProjects(
    _ path: String, _ settings: Settings, isReadOnly: Bool = false
  ) throws(Failure) -> Projects {
    do {
      return try Projects(
        path: path, busyTimeoutMilliseconds: settings.sqlite.busyTimeoutMilliseconds,
        isReadOnly: isReadOnly)
    } catch {
      throw Failure(error, database: path)
    }
  }

  private func openProjects(_ url: DatabaseURL) throws(Failure) -> PostgreSQLProjects {
    do {
      return try PostgreSQLProjects(url: url)
    } catch {
      throw Failure(error, database: "\(url)")
    }
  }
}

extension Failure {
  /// A project that is not deleted.
  fileprivate init(_ refusal: ProjectRefusal, project: String) {
    switch refusal {
    case .notFound:
      self.init(
        .data, "no project named '\(project)'; 'conversationd projects list' shows them")
    case .isDefault:
      self.init(
        .usage, "the project 'default' is not deleted, since every database has it")
    }
  }

  fileprivate init(_ error: ProjectsError, project: String, database: String) {
    switch error {
    case .refused(let refusal): self.init(refusal, project: project)
    case .database(let error): self.init(error, database: database)
    }
  }

  fileprivate init(_ error: PostgreSQLProjectsError, project: String, database: String) {
    switch error {
    case .refused(let refusal): self.init(refusal, project: project)
    case .database(let error): self.init(error, database: database)
    }
  }
}
