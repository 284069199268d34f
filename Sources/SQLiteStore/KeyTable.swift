internal import Conversations
internal import Repository
internal import SQLite

/// The table of API keys, on one connection: what the server and `conversationd keys` change in it.
final class KeyTable {
  private let insert: Statement
  private let selectNamed: Statement
  private let selectInProject: Statement
  private let update: Statement
  private let selectHash: Statement
  private let rename: Statement

  /// A key that is not revoked.
  struct Found {
    let number: Int64
    let project: ProjectID
    let projectName: String
    let rights: APIKeyRights
    let createdAt: Int64
    let expiresAt: Int64?
    let requestsPerMinute: Int?

    var isAdmin: Bool { rights == .admin }
  }

  init(_ connection: borrowing Connection) throws(SQLiteError) {
    insert = try connection.prepare(
      """
      INSERT INTO api_keys
        (project, name, hash, first_characters, is_read_only, is_admin, created_at, expires_at,
          requests_per_minute)
      VALUES
        (:project, :name, :hash, :first_characters, :is_read_only, :is_admin, :created_at,
          :expires_at, :requests_per_minute)
      """)
    selectNamed = try connection.prepare(
      """
      SELECT api_keys.number, projects.name, api_keys.is_admin, api_keys.is_read_only,
        api_keys.project, api_keys.created_at, api_keys.expires_at,
        api_keys.requests_per_minute
      FROM api_keys JOIN projects ON projects.number = api_keys.project
      WHERE api_keys.name = :name AND api_keys.revoked_at IS NULL ORDER BY projects.name
      """)
    selectInProject = try connection.prepare(
      """
      SELECT api_keys.number, projects.name, api_keys.is_admin, api_keys.is_read_only,
        api_keys.project, api_keys.created_at, api_keys.expires_at,
        api_keys.requests_per_minute
      FROM api_keys INDEXED BY api_keys_by_name
      JOIN projects ON projects.number = api_keys.project
      WHERE api_keys.project = :project AND api_keys.name = :name AND api_keys.revoked_at IS NULL
      """)
    update = try connection.prepare(
      "UPDATE api_keys SET revoked_at = :now WHERE number = :number AND revoked_at IS NULL")
    selectHash = try connection.prepare("SELECT 1 FROM api_keys WHERE hash = :hash")
    rename = try connection.prepare(
      "UPDATE api_keys SET name = :name, expires_at = :expires_at WHERE number = :number")
  }

  /// Whether a key is stored, also one that is revoked.
  func knows(_ key: APIKey) throws(SQLiteError) -> Bool {
    defer { selectHash.reset() }
    try selectHash.bind(":hash", APIKey.hash(of: key.text))
    return try selectHash.step()
  }

  /// Gives a key's name away, and an end to the key.
  ///
  /// - Returns: Its name from now on.
  func retire(_ key: Found, _ rotation: KeyRotation) throws(SQLiteError) -> String {
    for oldName in rotation.oldNames where try found(named: oldName, in: key.project) == nil {
      rename.bind(":number", key.number)
      try rename.bind(":name", oldName)
      rename.bind(":expires_at", rotation.endsAt)
      try rename.run()
      return oldName
    }
    preconditionFailure("names do not come to an end")
  }

  /// Stores a key.
  ///
  /// - Parameter now: Unix seconds.
  /// - Throws: A broken constraint when a key of the project has the name.
  func insert(
    _ key: APIKey, _ new: NewAPIKey, in project: ProjectID, now: Int64
  ) throws(SQLiteError) {
    insert.bind(":project", project.number)
    try insert.bind(":name", new.name.description)
    try insert.bind(":hash", APIKey.hash(of: key.text))
    try insert.bind(":first_characters", key.firstCharacters)
    insert.bind(":is_read_only", new.rights == .readOnly ? 1 : 0)
    insert.bind(":is_admin", new.rights == .admin ? 1 : 0)
    insert.bind(":created_at", now)
    insert.bind(":expires_at", new.expiresAt)
    insert.bind(":requests_per_minute", new.requestsPerMinute.map { Int64($0) })
    try insert.run()
  }

  /// The keys of all projects that have a name and are not revoked, at most one of each.
  func found(named name: String) throws(SQLiteError) -> [Found] {
    defer { selectNamed.reset() }
    try selectNamed.bind(":name", name)
    var found: [Found] = []
    while try selectNamed.step() { found.append(Found(row: selectNamed)) }
    return found
  }

  /// The key of a project that has a name and is not revoked.
  func found(named name: String, in project: ProjectID) throws(SQLiteError) -> Found? {
    defer { selectInProject.reset() }
    selectInProject.bind(":project", project.number)
    try selectInProject.bind(":name", name)
    return try selectInProject.step() ? Found(row: selectInProject) : nil
  }

  /// Revokes a key, for good.
  ///
  /// - Parameter now: Unix seconds.
  func revoke(_ number: Int64, now: Int64) throws(SQLiteError) {
    update.bind(":number", number)
    update.bind(":now", now)
    try update.run()
  }
}

extension KeyTable.Found {
  fileprivate init(row: borrowing Statement) {
    number = row.integer(0)
    projectName = row.repairedText(1)
    rights = APIKeyRights(isReadOnly: row.integer(3) != 0, isAdmin: row.integer(2) != 0)
    project = ProjectID(number: row.integer(4))
    createdAt = row.integer(5)
    expiresAt = row.isNull(6) ? nil : row.integer(6)
    requestsPerMinute = row.isNull(7) ? nil : Int(row.integer(7))
  }
}
