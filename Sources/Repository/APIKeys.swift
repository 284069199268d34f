public import Conversations
internal import Glibc
internal import SQLite

/// The API keys of a database, made and revoked by a person, also beside a running server, for which
/// each change counts from its next request on.
public struct APIKeys: ~Copyable {
  private let connection: Connection
  private let now: Int64

  /// A key as it is stored; the key itself is nowhere. Times are Unix seconds.
  public struct Record: Sendable {
    /// Unique among the keys that are not revoked.
    public let name: String
    /// The name of its project.
    public let project: String
    /// Whether it may only read.
    public let isReadOnly: Bool
    /// When it was made.
    public let createdAt: Int64
    /// From when on it does not count any more; nil for never.
    public let expiresAt: Int64?
    /// When it was last used, a minute late at most; nil for never.
    public let lastUsedAt: Int64?
    /// Whether it was revoked.
    public let isRevoked: Bool
    /// The beginning of the key.
    public let firstCharacters: String
  }

  /// Opens a file that is migrated.
  ///
  /// - Parameters:
  ///   - isReadOnly: Whether keys are only listed, which needs no right to write.
  ///   - now: Unix seconds.
  /// - Throws: Why the file cannot be used; `.cannotOpen` with `ENOENT` when there is none,
  ///   `.notMigrated`.
  public init(
    path: String, busyTimeoutMilliseconds: Int = 5000, isReadOnly: Bool = false,
    now: Int64 = Repository.unixSeconds()
  ) throws(DatabaseError) {
    connection = try DatabaseFile.openMigrated(
      path, busyTimeoutMilliseconds: busyTimeoutMilliseconds, isReadOnly: isReadOnly)
    self.now = now
  }

  /// Makes a key, and its project when that is new.
  ///
  /// - Parameters:
  ///   - name: 1 to 64 characters, none of them a control character.
  ///   - project: 1 to 64 characters of visible ASCII, so that it can stand in a header field.
  ///   - lifetimeSeconds: After which it does not count any more, at most some centuries; nil for
  ///     never.
  /// - Returns: The key, which nobody can read again.
  /// - Throws: `.nameTaken`, `.malformedName`, `.malformedProject`, `.database`.
  public func create(
    name: String, project: String, isReadOnly: Bool, lifetimeSeconds: Int64?
  ) throws(APIKeysError) -> APIKey {
    try Self.check(name: name, project: project)
    // Boxed: thread sanitizer looks at the address of a value that has no bytes.
    var random: any RandomNumberGenerator = SystemRandomNumberGenerator()
    let key = APIKey(using: &random)
    try inTransaction { () throws(SQLiteError) in
      let insertProject = try connection.prepare(
        """
        INSERT INTO projects (name)
        SELECT :name WHERE NOT EXISTS (SELECT 1 FROM projects WHERE name = :name)
        """)
      try insertProject.bind(":name", project)
      try insertProject.run()
      try insert(
        key, name: name, project: project, isReadOnly: isReadOnly,
        expiresAt: lifetimeSeconds.map { now + $0 })
    }
    return key
  }

  private func insert(
    _ key: APIKey, name: String, project: String, isReadOnly: Bool, expiresAt: Int64?
  ) throws(SQLiteError) {
    let insert = try connection.prepare(
      """
      INSERT INTO api_keys
        (project, name, hash, first_characters, is_read_only, created_at, expires_at)
      SELECT number, :name, :hash, :first_characters, :is_read_only, :created_at, :expires_at
      FROM projects WHERE name = :project
      """)
    try insert.bind(":project", project)
    try insert.bind(":name", name)
    try insert.bind(":hash", APIKey.hash(of: key.text))
    try insert.bind(":first_characters", key.firstCharacters)
    insert.bind(":is_read_only", isReadOnly ? 1 : 0)
    insert.bind(":created_at", now)
    // A parameter that is not bound is NULL.
    if let expiresAt { insert.bind(":expires_at", expiresAt) }
    try insert.run()
  }

  /// Revokes the key of that name, for good.
  ///
  /// - Throws: `.noSuchKey`, `.database`.
  public func revoke(name: String) throws(APIKeysError) {
    var count = 0
    try inTransaction { () throws(SQLiteError) in
      let update = try connection.prepare(
        "UPDATE api_keys SET revoked_at = :now WHERE name = :name AND revoked_at IS NULL")
      update.bind(":now", now)
      try update.bind(":name", name)
      try update.run()
      count = connection.changeCount
    }
    if count == 0 { throw .noSuchKey }
  }

  /// All keys that were ever made, in that order.
  public func all() throws(DatabaseError) -> [Record] {
    do {
      let rows = try connection.prepare(
        "\(Record.selection) ORDER BY api_keys.number")
      var records: [Record] = []
      while try rows.step() { records.append(Record(row: rows)) }
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
    let isNameGood =
      (1...64).contains(name.unicodeScalars.count)
      && name.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
    guard isNameGood else { throw .malformedName }
    let isProjectGood =
      (1...64).contains(project.utf8.count)
      && project.utf8.allSatisfy { (0x21...0x7e).contains($0) }
    guard isProjectGood else { throw .malformedProject }
  }

  private func inTransaction(_ body: () throws(SQLiteError) -> Void) throws(APIKeysError) {
    do {
      try connection.execute("BEGIN IMMEDIATE")
      try body()
      try connection.execute("COMMIT")
    } catch {
      if !connection.isInAutocommit { try? connection.execute("ROLLBACK") }
      // The one constraint that names of the right form can break.
      throw error.kind == .constraint ? .nameTaken : .database(.sqlite(error))
    }
  }
}

extension APIKeys.Record {
  /// The columns that `init(row:)` reads.
  static let selection = """
    SELECT api_keys.name, projects.name, is_read_only, created_at, expires_at, last_used_at,
      revoked_at, first_characters
    FROM api_keys JOIN projects ON projects.number = api_keys.project
    """

  init(row: borrowing Statement) {
    name = row.repairedText(0)
    project = row.repairedText(1)
    isReadOnly = row.integer(2) != 0
    createdAt = row.integer(3)
    expiresAt = row.isNull(4) ? nil : row.integer(4)
    lastUsedAt = row.isNull(5) ? nil : row.integer(5)
    isRevoked = !row.isNull(6)
    firstCharacters = row.repairedText(7)
  }
}

/// Why a key was not made or revoked.
public enum APIKeysError: Error, Equatable, Sendable {
  /// A key that is not revoked has the name.
  case nameTaken
  /// No key that is not revoked has the name.
  case noSuchKey
  /// The name of a key is empty, over 64 characters, or has control characters.
  case malformedName
  /// The name of a project is empty, over 64 characters, or not visible ASCII.
  case malformedProject
  /// The file cannot be used.
  case database(DatabaseError)
}

extension Repository {
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
