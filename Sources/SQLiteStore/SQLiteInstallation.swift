internal import Conversations
public import Repository
internal import SQLite

extension SQLiteSource {
  /// The projects and the API keys.
  public func installation() throws(RepositoryError) -> Installation {
    try rethrowing { () throws(SQLiteError) in
      let projects = try reader.prepare("SELECT number, name FROM projects ORDER BY number")
      let keys = try reader.prepare(
        """
        SELECT number, project, name, hash, first_characters, is_read_only, is_admin, created_at,
          expires_at, last_used_at, revoked_at, requests_per_minute
        FROM api_keys ORDER BY number
        """)
      var found = Installation(projects: [], keys: [])
      while try projects.step() {
        found.projects.append(
          Installation.Project(
            ProjectID(number: projects.integer(0)), name: projects.repairedText(1)))
      }
      while try keys.step() { found.keys.append(Installation.Key(row: keys)) }
      return found
    }
  }
}

extension SQLiteStore {
  /// Stores projects and API keys as another database has them.
  public func add(_ installation: Installation) async throws(RepositoryError) {
    try await writes.write { writer throws(RepositoryError) in
      try rethrowing { () throws(SQLiteError) in try writer.add(installation) }
    }
  }
}

extension Writer {
  fileprivate func add(_ installation: Installation) throws(SQLiteError) {
    let insertProject = try connection.prepare(
      "INSERT INTO projects (number, name) VALUES (:number, :name)")
    for project in installation.projects {
      insertProject.bind(":number", project.id.number)
      try insertProject.bind(":name", project.name)
      try insertProject.run()
    }
    let insertKey = try connection.prepare(
      """
      INSERT INTO api_keys (
        number, project, name, hash, first_characters, is_read_only, is_admin, created_at,
        expires_at, last_used_at, revoked_at, requests_per_minute)
      VALUES (
        :number, :project, :name, :hash, :first_characters, :is_read_only, :is_admin, :created_at,
        :expires_at, :last_used_at, :revoked_at, :requests_per_minute)
      """)
    for key in installation.keys {
      insertKey.bind(":number", key.number)
      insertKey.bind(":project", key.project.number)
      try insertKey.bind(":name", key.name)
      try insertKey.bind(":hash", key.hash)
      try insertKey.bind(":first_characters", key.firstCharacters)
      insertKey.bind(":is_read_only", key.rights == .readOnly ? 1 : 0)
      insertKey.bind(":is_admin", key.rights == .admin ? 1 : 0)
      insertKey.bind(":created_at", key.createdAt)
      insertKey.bind(":expires_at", key.expiresAt)
      insertKey.bind(":last_used_at", key.lastUsedAt)
      insertKey.bind(":revoked_at", key.revokedAt)
      insertKey.bind(":requests_per_minute", key.requestsPerMinute)
      try insertKey.run()
    }
  }
}

extension Installation.Key {
  fileprivate init(row: borrowing Statement) {
    self.init(
      number: row.integer(0), project: ProjectID(number: row.integer(1)),
      name: row.repairedText(2), hash: row.repairedText(3), firstCharacters: row.repairedText(4),
      rights: APIKeyRights(isReadOnly: row.integer(5) != 0, isAdmin: row.integer(6) != 0),
      createdAt: row.integer(7), expiresAt: row.isNull(8) ? nil : row.integer(8),
      lastUsedAt: row.isNull(9) ? nil : row.integer(9),
      revokedAt: row.isNull(10) ? nil : row.integer(10),
      requestsPerMinute: row.isNull(11) ? nil : row.integer(11))
  }
}
