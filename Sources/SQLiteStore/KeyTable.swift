internal import Conversations
internal import SQLite

/// The table of API keys, on one connection: what the server and `conversationd keys` change in it.
final class KeyTable {
  private let insert: Statement
  private let selectNamed: Statement
  private let selectInProject: Statement
  private let update: Statement

  /// A key that is not revoked.
  struct Found {
    let number: Int64
    let projectName: String
    let isAdmin: Bool
  }

  init(_ connection: borrowing Connection) throws(SQLiteError) {
    insert = try connection.prepare(
      """
      INSERT INTO api_keys
        (project, name, hash, first_characters, is_read_only, is_admin, created_at, expires_at)
      VALUES
        (:project, :name, :hash, :first_characters, :is_read_only, :is_admin, :created_at,
          :expires_at)
      """)
    selectNamed = try connection.prepare(
      """
      SELECT api_keys.number, projects.name, api_keys.is_admin
      FROM api_keys JOIN projects ON projects.number = api_keys.project
      WHERE api_keys.name = :name AND api_keys.revoked_at IS NULL ORDER BY projects.name
      """)
    selectInProject = try connection.prepare(
      """
      SELECT api_keys.number, projects.name, api_keys.is_admin
      FROM api_keys INDEXED BY api_keys_by_name
      JOIN projects ON projects.number = api_keys.project
      WHERE api_keys.project = :project AND api_keys.name = :name AND api_keys.revoked_at IS NULL
      """)
    update = try connection.prepare(
      "UPDATE api_keys SET revoked_at = :now WHERE number = :number AND revoked_at IS NULL")
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
    isAdmin = row.integer(2) != 0
  }
}
