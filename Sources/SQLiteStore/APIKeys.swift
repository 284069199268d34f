public import Conversations
internal import Glibc
public import Repository
internal import SQLite

/// The API keys of a database, made and revoked by a person, also beside a running server, for which
/// each change counts from its next request on.
public struct APIKeys: ~Copyable {
  private let connection: Connection
  private let table: KeyTable
  private let now: Int64

  /// Opens a file that is migrated.
  ///
  /// - Parameters:
  ///   - isReadOnly: Whether keys are only listed, which needs no right to write.
  ///   - now: Unix seconds.
  /// - Throws: Why the file cannot be used; `.cannotOpen` with `ENOENT` when there is none,
  ///   `.notMigrated`.
  public init(
    path: String, busyTimeoutMilliseconds: Int = 5000, isReadOnly: Bool = false,
    now: Int64 = UnixTime.seconds()
  ) throws(DatabaseError) {
    let connection = try DatabaseFile.openMigrated(
      path, busyTimeoutMilliseconds: busyTimeoutMilliseconds, isReadOnly: isReadOnly)
    let table: KeyTable
    do {
      table = try KeyTable(connection)
    } catch {
      throw .sqlite(error)
    }
    self.connection = connection
    self.table = table
    self.now = now
  }

  /// Makes a key, and its project when that is new.
  ///
  /// - Parameters:
  ///   - name: 1 to 64 characters, none of them a control character.
  ///   - project: 1 to 64 characters of visible ASCII, so that it can stand in a header field.
  ///   - lifetimeSeconds: After which it does not count any more, at most some centuries; nil for
  ///     never.
  ///   - requestsPerMinute: How many requests it may send in a minute; nil where the server says so for
  ///     all keys.
  ///   - key: The key itself; a new one by default.
  /// - Returns: The key, which nobody can read again.
  /// - Throws: `.nameTaken`, `.secretTaken`, `.malformedName`, `.malformedProject`, `.database`.
  public func create(
    name: String, project: String, rights: APIKeyRights, lifetimeSeconds: Int64?,
    requestsPerMinute: Int? = nil, key: APIKey = .random()
  ) throws(APIKeysError) -> APIKey {
    try Self.check(name: name, project: project)
    guard let name = try? APIKeyName(name) else { throw .malformedName }
    let new = NewAPIKey(
      name: name, rights: rights, expiresAt: lifetimeSeconds.map { now + $0 },
      requestsPerMinute: requestsPerMinute)
    try inTransaction { () throws(APIKeysError) in
      let isKnown = try rethrowing { () throws(SQLiteError) in try table.knows(key) }
      if isKnown { throw .secretTaken }
      let number = try rethrowing { () throws(SQLiteError) in try self.number(of: project) }
      let isTaken = try rethrowing { () throws(SQLiteError) in
        try table.found(named: name.description, in: number) != nil
      }
      if isTaken { throw .nameTaken }
      try rethrowing { () throws(SQLiteError) in
        try table.insert(key, new, in: number, now: now)
      }
    }
    return key
  }

  /// The number of a project, which is made when it is new.
  private func number(of project: String) throws(SQLiteError) -> ProjectID {
    let insert = try connection.prepare(
      """
      INSERT INTO projects (name)
      SELECT :name WHERE NOT EXISTS (SELECT 1 FROM projects WHERE name = :name)
      """)
    try insert.bind(":name", project)
    try insert.run()
    let select = try connection.prepare("SELECT number FROM projects WHERE name = :name")
    try select.bind(":name", project)
    guard try select.step() else { preconditionFailure("the project is there") }
    return ProjectID(number: select.integer(0))
  }

  /// Revokes the key of that name, for good.
  ///
  /// - Parameter project: Its project; nil where one project alone has such a key.
  /// - Throws: `.noSuchKey`, `.ambiguousName`, `.database`.
  public func revoke(name: String, project: String? = nil) throws(APIKeysError) {
    try inTransaction { () throws(APIKeysError) in
      let key = try find(name, project)
      try rethrowing { () throws(SQLiteError) in try table.revoke(key.number, now: now) }
    }
  }

  private func find(_ name: String, _ project: String?) throws(APIKeysError) -> KeyTable.Found {
    let found = try rethrowing { () throws(SQLiteError) in try table.found(named: name) }
      .filter { project?.hasSameBytes(as: $0.projectName) ?? true }
    guard let key = found.first else { throw .noSuchKey }
    guard found.count == 1 else { throw .ambiguousName(projects: found.map(\.projectName)) }
    return key
  }

  /// Makes a key with the name, the project, the rights and the limit of another, and a life as long
  /// as that had. The other one is renamed and counts for a while yet, so that clients can change one by one.
  ///
  /// - Parameters:
  ///   - project: Its project; nil where one project alone has such a key.
  ///   - graceSeconds: How long the other one counts yet, at most.
  ///   - handOver: Gives the key to whoever asked for it; when it fails, nothing changes.
  /// - Returns: The name of the other one from now on, and the Unix second at which it ends.
  /// - Throws: `.noSuchKey`, `.ambiguousName`, `.notHandedOver`, `.database`.
  public func rotate(
    name: String, project: String? = nil, graceSeconds: Int64, handOver: (APIKey) -> Bool
  ) throws(APIKeysError) -> (oldName: String, endsAt: Int64) {
    guard let newName = try? APIKeyName(name) else { throw .noSuchKey }
    var outcome = (oldName: "", endsAt: Int64(0))
    try inTransaction { () throws(APIKeysError) in
      let old = try find(name, project)
      let rotation = KeyRotation(
        name: newName, rights: old.rights, createdAt: old.createdAt, expiresAt: old.expiresAt,
        requestsPerMinute: old.requestsPerMinute, graceSeconds: graceSeconds, now: now)
      let key = APIKey.random()
      try rethrowing { () throws(SQLiteError) in
        outcome = (try table.retire(old, rotation), rotation.endsAt)
        try table.insert(key, rotation.new, in: old.project, now: now)
      }
      guard handOver(key) else { throw .notHandedOver }
    }
    return outcome
  }

  /// All keys that were ever made, in that order.
  public func all() throws(DatabaseError) -> [APIKeyRecord] {
    do {
      let rows = try connection.prepare(
        "\(APIKeyRecord.selection) ORDER BY api_keys.number")
      var records: [APIKeyRecord] = []
      while try rows.step() { records.append(APIKeyRecord(row: rows)) }
      return records
    } catch {
      throw .sqlite(error)
    }
  }

  /// The projects, apart from one, that have conversations, and how many.
  ///
  /// - Throws: `.database`.
  public func otherProjects(
    than project: String
  ) throws(APIKeysError) -> [(project: String, conversationCount: Int64)] {
    do {
      let rows = try connection.prepare(
        """
        SELECT projects.name, count(*) FROM conversations
        JOIN projects ON projects.number = conversations.project
        WHERE projects.name <> :project GROUP BY conversations.project ORDER BY projects.name
        """)
      try rows.bind(":project", project)
      var others: [(project: String, conversationCount: Int64)] = []
      while try rows.step() { others.append((rows.repairedText(0), rows.integer(1))) }
      return others
    } catch {
      throw .database(.sqlite(error))
    }
  }

  /// Looks at the names that `create` takes, without a file.
  ///
  /// - Throws: `.malformedName`, `.malformedProject`.
  public static func check(name: String, project: String) throws(APIKeysError) {
    guard (try? APIKeyName(name)) != nil else { throw .malformedName }
    let isProjectGood =
      (1...64).contains(project.utf8.count)
      && project.utf8.allSatisfy { (0x21...0x7e).contains($0) }
    guard isProjectGood else { throw .malformedProject }
  }

  private func inTransaction(_ body: () throws(APIKeysError) -> Void) throws(APIKeysError) {
    do {
      try rethrowing { () throws(SQLiteError) in try connection.execute("BEGIN IMMEDIATE") }
      try body()
      try rethrowing { () throws(SQLiteError) in try connection.execute("COMMIT") }
    } catch {
      if !connection.isInAutocommit { try? connection.execute("ROLLBACK") }
      throw error
    }
  }

  private func rethrowing<T>(_ body: () throws(SQLiteError) -> T) throws(APIKeysError) -> T {
    do {
      return try body()
    } catch {
      throw .database(.sqlite(error))
    }
  }
}

extension APIKeyRecord {
  /// The columns that `init(row:)` reads.
  static let selection = """
    SELECT api_keys.name, projects.name, is_read_only, created_at, expires_at, last_used_at,
      revoked_at, first_characters, is_admin, requests_per_minute
    FROM api_keys JOIN projects ON projects.number = api_keys.project
    """

  init(row: borrowing Statement) {
    self.init(
      name: row.repairedText(0), project: row.repairedText(1),
      rights: APIKeyRights(isReadOnly: row.integer(2) != 0, isAdmin: row.integer(8) != 0),
      createdAt: row.integer(3), expiresAt: row.isNull(4) ? nil : row.integer(4),
      lastUsedAt: row.isNull(5) ? nil : row.integer(5), isRevoked: !row.isNull(6),
      firstCharacters: row.repairedText(7),
      requestsPerMinute: row.isNull(9) ? nil : Int(row.integer(9)))
  }
}

/// Why a key was not made or revoked.
public enum APIKeysError: Error, Equatable, Sendable {
  /// The key itself is stored already, perhaps under another name, or was once.
  case secretTaken
  /// Nobody took the key.
  case notHandedOver
  /// A key of the project that is not revoked has the name.
  case nameTaken
  /// No key that is not revoked has the name.
  case noSuchKey
  /// Keys of several projects that are not revoked have the name.
  case ambiguousName(projects: [String])
  /// The name of a key is empty, over 64 characters, or has control characters.
  case malformedName
  /// The name of a project is empty, over 64 characters, or not visible ASCII.
  case malformedProject
  /// The file cannot be used.
  case database(DatabaseError)
}

extension SQLiteStore {
  /// Makes an API key.
  ///
  /// - Returns: The key, which nobody can read again, and what is known of it.
  /// - Throws: `.apiKey(.nameTaken)`.
  public func createAPIKey(
    _ new: NewAPIKey, in project: ProjectID
  ) async throws(RepositoryError) -> (key: APIKey, record: APIKeyRecord) {
    let key = APIKey.random()
    let record = try await writes.write { writer throws(RepositoryError) in
      try writer.createAPIKey(key, new, in: project)
    }
    return (key, record)
  }

  /// Revokes an API key, for good.
  ///
  /// - Parameter name: Any text.
  /// - Throws: `.apiKey(.notFound)`, `.apiKey(.isAdmin)`.
  public func revokeAPIKey(
    named name: String, in project: ProjectID
  ) async throws(RepositoryError) {
    try await writes.write { writer throws(RepositoryError) in
      try writer.revokeAPIKey(named: name, in: project)
    }
  }

  /// Reads what is known of the keys of a project that are not revoked, by their names, on a thread of
  /// its own.
  ///
  /// - Throws: `.queryTimeout`.
  public func apiKeys(in project: ProjectID) async throws(RepositoryError) -> [APIKeyRecord] {
    try await queries.run { reader, isOver throws(RepositoryError) in
      try reader.apiKeys(in: project, isOver: isOver)
    }
  }

  /// Whether a database has, or ever had, a key; false when there is no file.
  ///
  /// - Throws: Why the file cannot be used.
  public static func hasAPIKeys(path: String) throws(DatabaseError) -> Bool {
    do {
      _ = try DatabaseFile.state(path: path)
      let connection = try DatabaseFile.openReadOnly(path)
      let tables = try connection.integer(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'api_keys'")
      // An older schema, which `serve` will migrate, has none.
      guard tables == 1 else { return false }
      return try connection.integer("SELECT EXISTS (SELECT 1 FROM api_keys)") == 1
    } catch DatabaseError.cannotOpen(ENOENT) {
      return false
    } catch {
      throw DatabaseError(error)
    }
  }
}
