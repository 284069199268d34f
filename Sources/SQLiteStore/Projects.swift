package import Conversations
public import Repository
internal import SQLite

/// The projects of a database, listed and deleted by a person, also beside a running server.
public struct Projects: ~Copyable {
  private let connection: Connection
  private let now: Int64

  /// Opens a file that is migrated.
  ///
  /// - Parameters:
  ///   - isReadOnly: Whether projects are only listed, which needs no right to write.
  ///   - now: Unix seconds.
  /// - Throws: Why the file cannot be used; `.cannotOpen` with `ENOENT` when there is none,
  ///   `.notMigrated`.
  public init(
    path: String, busyTimeoutMilliseconds: Int = 5000, isReadOnly: Bool = false,
    now: Int64 = UnixTime.seconds()
  ) throws(DatabaseError) {
    connection = try DatabaseFile.openMigrated(
      path, busyTimeoutMilliseconds: busyTimeoutMilliseconds, isReadOnly: isReadOnly)
    self.now = now
  }

  /// All projects, by their names.
  public func all() throws(DatabaseError) -> [ProjectRecord] {
    do {
      let rows = try connection.prepare(
        """
        SELECT projects.number, projects.name, coalesce(counts.conversations, 0),
          coalesce(counts.items, 0),
          (
            SELECT count(*) FROM api_keys
            WHERE api_keys.project = projects.number AND api_keys.revoked_at IS NULL
          )
        FROM projects LEFT JOIN (
          SELECT project, count(*) AS conversations, sum(item_count) AS items
          FROM activity GROUP BY project
        ) AS counts ON counts.project = projects.number
        ORDER BY projects.name
        """)
      var records: [ProjectRecord] = []
      while try rows.step() {
        records.append(
          ProjectRecord(
            number: rows.integer(0), name: rows.repairedText(1),
            conversationCount: rows.integer(2), itemCount: rows.integer(3),
            keyCount: rows.integer(4)))
      }
      return records
    } catch {
      throw .sqlite(error)
    }
  }
}

extension Projects: ProjectDeleting {
  package func begin(
    _ name: String
  ) throws(ProjectsError) -> (project: ProjectID, keyCount: Int) {
    try inTransaction { () throws(ProjectsError) in
      let project = try find(name)
      return (project, try markKeysRevoked(of: project))
    }
  }

  private func find(_ name: String) throws(ProjectsError) -> ProjectID {
    let number = try rethrowing { () throws(SQLiteError) -> Int64? in
      let select = try connection.prepare("SELECT number FROM projects WHERE name = :name")
      try select.bind(":name", name)
      return try select.step() ? select.integer(0) : nil
    }
    guard let number else { throw .refused(.notFound) }
    guard number != ProjectID.default.number else { throw .refused(.isDefault) }
    return ProjectID(number: number)
  }

  package func revokeKeys(of project: ProjectID) throws(ProjectsError) -> Int {
    try inTransaction { () throws(ProjectsError) in try markKeysRevoked(of: project) }
  }

  private func markKeysRevoked(of project: ProjectID) throws(ProjectsError) -> Int {
    try rethrowing { () throws(SQLiteError) in
      let update = try connection.prepare(
        "UPDATE api_keys SET revoked_at = :now WHERE project = :project AND revoked_at IS NULL")
      update.bind(":now", now)
      update.bind(":project", project.number)
      try update.run()
      return connection.changeCount
    }
  }

  package func deleteSlice(of project: ProjectID) throws(ProjectsError) -> Int {
    try inTransaction { () throws(ProjectsError) in try deleteNext(of: project) }
  }

  private func deleteNext(of project: ProjectID) throws(ProjectsError) -> Int {
    try rethrowing { () throws(SQLiteError) in
      let select = try connection.prepare(
        """
        SELECT conversations.number, coalesce(activity.item_count, 0)
        FROM conversations INDEXED BY conversations_by_project
        LEFT JOIN activity ON activity.conversation = conversations.number
        WHERE conversations.project = :project ORDER BY conversations.number LIMIT :limit
        """)
      select.bind(":project", project.number)
      select.bind(":limit", Int64(DeletionSlice.conversationsMax))
      var found: [(number: Int64, itemCount: Int64)] = []
      while try select.step() { found.append((select.integer(0), select.integer(1))) }
      select.reset()
      let slice = found.prefix(DeletionSlice.count(found.map(\.itemCount)))
      let delete = try connection.prepare("DELETE FROM conversations WHERE number = :number")
      for conversation in slice {
        delete.bind(":number", conversation.number)
        try delete.run()
      }
      return slice.count
    }
  }

  package func rename(
    _ project: ProjectID
  ) throws(ProjectsError) -> (newName: String, keyCount: Int)? {
    try inTransaction { () throws(ProjectsError) in
      let keyCount = try markKeysRevoked(of: project)
      return try rethrowing { () throws(SQLiteError) in
        let hasConversations = try connection.prepare(
          "SELECT EXISTS (SELECT 1 FROM conversations WHERE project = :project)")
        hasConversations.bind(":project", project.number)
        guard try hasConversations.step(), hasConversations.integer(0) == 0 else { return nil }
        hasConversations.reset()
        let isTaken = try connection.prepare(
          "SELECT 1 FROM projects WHERE name = :name AND number <> :project")
        isTaken.bind(":project", project.number)
        let name = try ProjectDeletion.name(number: project.number) { name throws(SQLiteError) in
          defer { isTaken.reset() }
          try isTaken.bind(":name", name)
          return try isTaken.step()
        }
        let update = try connection.prepare(
          "UPDATE projects SET name = :name WHERE number = :project")
        try update.bind(":name", name)
        update.bind(":project", project.number)
        try update.run()
        return (name, keyCount)
      }
    }
  }

  private func inTransaction<T>(_ body: () throws(ProjectsError) -> T) throws(ProjectsError) -> T {
    do {
      try rethrowing { () throws(SQLiteError) in try connection.execute("BEGIN IMMEDIATE") }
      let result = try body()
      try rethrowing { () throws(SQLiteError) in try connection.execute("COMMIT") }
      return result
    } catch {
      if !connection.isInAutocommit { try? connection.execute("ROLLBACK") }
      throw error
    }
  }

  private func rethrowing<T>(_ body: () throws(SQLiteError) -> T) throws(ProjectsError) -> T {
    do {
      return try body()
    } catch {
      throw .database(.sqlite(error))
    }
  }
}

/// Why a project was not deleted, or not wholly.
public enum ProjectsError: Error, Equatable, Sendable {
  /// It cannot be deleted.
  case refused(ProjectRefusal)
  /// The file cannot be used; what was deleted before stays deleted.
  case database(DatabaseError)
}
