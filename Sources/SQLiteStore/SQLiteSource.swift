public import Conversations
public import Repository
internal import SQLite

/// A database file that a command reads, beside a server that may have it open.
public final class SQLiteSource: ExportSource {
  let reader: QueryReader
  /// Held where no server may have it open meanwhile.
  private let file: DatabaseFile?

  /// - Parameter locksServersOut: Whether no server may have it open as long as this lives.
  /// - Throws: `.inUse` when one has; `.cannotOpen` with `ENOENT` when there is no file; `.notMigrated`; what else makes it
  ///   unusable.
  public init(path: String, locksServersOut: Bool = false) throws(DatabaseError) {
    file =
      locksServersOut ? try DatabaseFile(path: path, lock: .exclusive, mustExist: true) : nil
    let connection = try DatabaseFile.openMigrated(
      path, busyTimeoutMilliseconds: 5000, isReadOnly: true)
    do {
      reader = try QueryReader(connection)
    } catch {
      throw .sqlite(error)
    }
  }

  /// Finds a project; nil when there is none of this name.
  public func project(named name: String) throws(RepositoryError) -> ProjectID? {
    try rethrowing { () throws(SQLiteError) in
      let select = try reader.prepare("SELECT number FROM projects WHERE name = :name")
      try select.bind(":name", name)
      return try select.step() ? ProjectID(number: select.integer(0)) : nil
    }
  }

  /// The newest conversation that a project has now; nil when it has none.
  public func newestID(in project: ProjectID) throws(RepositoryError) -> ConversationID? {
    try rethrowing { () throws(SQLiteError) in
      let select = try reader.prepare(
        """
        SELECT id FROM conversations INDEXED BY conversations_by_project
        WHERE project = :project ORDER BY number DESC LIMIT 1
        """)
      select.bind(":project", project.number)
      return try select.step() ? select.text(0).flatMap { ConversationID($0) } : nil
    }
  }

  /// Reads a page of an export, as of one moment.
  public func exportPage(
    _ query: ConversationQuery, from place: ExportPlace?, in project: ProjectID, bytesMax: Int
  ) throws(RepositoryError) -> ExportPage {
    try reader.exportPage(query, from: place, in: project, bytesMax: bytesMax) { false }
  }
}
