package import Conversations
public import PostgreSQL
public import Repository

/// The projects of a database, listed and deleted by a person, also beside running servers.
public struct PostgreSQLProjects: ~Copyable {
  private var connection: Connection
  private let now: Int64

  /// How long a count of all conversations, or a deletion of large ones, may take.
  private static let counting = Duration.seconds(3600)

  /// Connects to a database that is migrated.
  ///
  /// - Parameter now: Unix seconds.
  /// - Throws: Why the database cannot be used; `.notMigrated`.
  public init(
    url: DatabaseURL, now: Int64 = UnixTime.seconds()
  ) throws(PostgreSQLStoreError) {
    connection = try Session.openMigrated(url)
    self.now = now
  }

  /// All projects, by their names.
  ///
  /// - Throws: `.database`.
  public mutating func all() throws(PostgreSQLProjectsError) -> [ProjectRecord] {
    let rows = try asked(
      .once(
        """
        SELECT p.number, p.name, coalesce(c.conversations, 0), coalesce(c.items, 0),
          (SELECT count(*) FROM api_keys AS a WHERE a.project = p.number AND a.revoked_at IS NULL)
        FROM projects AS p LEFT JOIN (
          SELECT project, count(*) AS conversations, sum(item_count)::bigint AS items
          FROM conversations GROUP BY project
        ) AS c ON c.project = p.number
        ORDER BY p.name
        """), within: Self.counting)
    return (0..<rows.count).map {
      ProjectRecord(
        number: rows.int64($0, 0), name: rows.text($0, 1), conversationCount: rows.int64($0, 2),
        itemCount: rows.int64($0, 3), keyCount: rows.int64($0, 4))
    }
  }
}

extension PostgreSQLProjects: ProjectDeleting {
  package mutating func begin(
    _ name: String
  ) throws(PostgreSQLProjectsError) -> (project: ProjectID, keyCount: Int) {
    let project = try find(name)
    return (project, try revokeKeys(of: project))
  }

  private mutating func find(_ name: String) throws(PostgreSQLProjectsError) -> ProjectID {
    // No name has U+0000, and PostgreSQL takes no text with it.
    guard !name.utf8.contains(0) else { throw .refused(.notFound) }
    let rows = try asked(
      .once("SELECT number FROM projects WHERE name = $1::text") { $0.add(name) })
    guard rows.count == 1 else { throw .refused(.notFound) }
    let project = ProjectID(number: rows.int64(0, 0))
    guard project != .default else { throw .refused(.isDefault) }
    return project
  }

  package mutating func revokeKeys(of project: ProjectID) throws(PostgreSQLProjectsError) -> Int {
    let now = now
    let rows = try asked(
      .once(
        """
        WITH revoked AS (
          UPDATE api_keys SET revoked_at = $2::bigint
          WHERE project = $1::bigint AND revoked_at IS NULL RETURNING 1
        )
        SELECT count(*) FROM revoked
        """
      ) {
        $0.add(project.number)
        $0.add(now)
      })
    return Int(rows.int64(0, 0))
  }

  package mutating func deleteSlice(
    of project: ProjectID
  ) throws(PostgreSQLProjectsError) -> Int {
    try inTransaction { projects throws(PostgreSQLProjectsError) in
      try projects.deleteNext(of: project)
    }
  }

  /// The conversations are locked in the order that all programs keep; the triggers of the schema
  /// delete what belongs to them.
  private mutating func deleteNext(of project: ProjectID) throws(PostgreSQLProjectsError) -> Int {
    let rows = try asked(
      .once(
        """
        SELECT id, item_count FROM conversations
        WHERE project = $1::bigint ORDER BY id LIMIT $2::bigint FOR UPDATE
        """
      ) {
        $0.add(project.number)
        $0.add(Int64(DeletionSlice.conversationsMax))
      })
    let count = DeletionSlice.count((0..<rows.count).map { rows.int64($0, 1) })
    guard count > 0 else { return 0 }
    _ = try asked(
      .once(
        "DELETE FROM conversations WHERE project = $1::bigint AND id = ANY ($2::bytea[])"
      ) {
        $0.add(project.number)
        $0.add(byteas: (0..<count).map { rows.bytes($0, 0) })
      }, within: Self.counting)
    return count
  }

  package mutating func rename(
    _ project: ProjectID
  ) throws(PostgreSQLProjectsError) -> (newName: String, keyCount: Int)? {
    try inTransaction { projects throws(PostgreSQLProjectsError) in
      // Whoever makes a key of the project makes it before or after this.
      _ = try projects.asked(KeyStatements.begin)
      let keyCount = try projects.revokeKeys(of: project)
      let found = try projects.asked(
        .once("SELECT EXISTS (SELECT 1 FROM conversations WHERE project = $1::bigint)") {
          $0.add(project.number)
        })
      guard !found.bool(0, 0) else { return nil }
      let names = try projects.asked(
        .once(
          "SELECT name FROM projects WHERE name LIKE 'deleted-%' AND number <> $1::bigint"
        ) { $0.add(project.number) })
      let taken = Set((0..<names.count).map { names.text($0, 0) })
      let name = ProjectDeletion.name(number: project.number) { taken.contains($0) }
      _ = try projects.asked(
        .once("UPDATE projects SET name = $2::text WHERE number = $1::bigint") {
          $0.add(project.number)
          $0.add(name)
        })
      return (name, keyCount)
    }
  }

  private mutating func inTransaction<T>(
    _ body: (inout PostgreSQLProjects) throws(PostgreSQLProjectsError) -> T
  ) throws(PostgreSQLProjectsError) -> T {
    do {
      _ = try asked(.once("BEGIN ISOLATION LEVEL READ COMMITTED"))
      let result = try body(&self)
      _ = try asked(.once("COMMIT"))
      return result
    } catch {
      _ = try? asked(.once("ROLLBACK"))
      throw error
    }
  }

  private mutating func asked(
    _ call: Call, within timeout: Duration = Patience.answering
  ) throws(PostgreSQLProjectsError) -> Rows {
    do {
      return try connection.run([call], within: timeout)[0]
    } catch {
      throw .database(PostgreSQLStoreError(error))
    }
  }
}

/// Why a project was not deleted, or not wholly.
public enum PostgreSQLProjectsError: Error, Equatable, Sendable {
  /// It cannot be deleted.
  case refused(ProjectRefusal)
  /// The database cannot be used; what was deleted before stays deleted.
  case database(PostgreSQLStoreError)
}
