internal import Conversations
internal import PostgreSQL
public import Repository

extension PostgreSQLSource {
  /// The projects and the API keys.
  public func installation() throws(RepositoryError) -> Installation {
    let results = try session.run([
      .once("SELECT number, name FROM projects ORDER BY number"),
      .once(
        """
        SELECT number, project, name, hash, first_characters, is_read_only, is_admin, created_at,
          expires_at, last_used_at, revoked_at, requests_per_minute
        FROM api_keys ORDER BY number
        """),
    ])
    return Installation(
      projects: (0..<results[0].count).map { row in
        Installation.Project(
          ProjectID(number: results[0].int64(row, 0)), name: results[0].text(row, 1))
      }, keys: (0..<results[1].count).map { Installation.Key(results[1], $0) })
  }
}

extension PostgreSQLStore {
  /// Stores projects and API keys as another database has them.
  public func add(_ installation: Installation) async throws(RepositoryError) {
    try await write(
      resources: [.apiKeys], ask: { _ in },
      decide: { _, changes in
        for project in installation.projects { changes.run(Self.insert(project)) }
        for key in installation.keys { changes.run(Self.insert(key)) }
      })
  }

  private static func insert(_ project: Installation.Project) -> Call {
    .once("INSERT INTO projects (number, name) VALUES ($1::bigint, $2::text)") {
      $0.add(project.id.number)
      $0.add(project.name)
    }
  }

  private static func insert(_ key: Installation.Key) -> Call {
    .once(
      """
      INSERT INTO api_keys (
        number, project, name, hash, first_characters, is_read_only, is_admin, created_at,
        expires_at, last_used_at, revoked_at, requests_per_minute)
      VALUES (
        $1::bigint, $2::bigint, $3::text, $4::bytea, $5::text, $6::boolean, $7::boolean,
        $8::bigint, $9::bigint, $10::bigint, $11::bigint, $12::bigint)
      """
    ) {
      $0.add(key.number)
      $0.add(key.project.number)
      $0.add(key.name)
      $0.add(key.hash.hexadecimalBytes)
      $0.add(key.firstCharacters)
      $0.add(key.rights == .readOnly)
      $0.add(key.rights == .admin)
      $0.add(key.createdAt)
      $0.add(key.expiresAt)
      $0.add(key.lastUsedAt)
      $0.add(key.revokedAt)
      $0.add(key.requestsPerMinute)
    }
  }
}

extension Installation.Key {
  fileprivate init(_ rows: Rows, _ row: Int) {
    func optional(_ column: Int) -> Int64? {
      rows.isNull(row, column) ? nil : rows.int64(row, column)
    }
    self.init(
      number: rows.int64(row, 0), project: ProjectID(number: rows.int64(row, 1)),
      name: rows.text(row, 2), hash: String(hexadecimal: rows.bytes(row, 3)),
      firstCharacters: rows.text(row, 4),
      rights: APIKeyRights(isReadOnly: rows.bool(row, 5), isAdmin: rows.bool(row, 6)),
      createdAt: rows.int64(row, 7), expiresAt: optional(8), lastUsedAt: optional(9),
      revokedAt: optional(10), requestsPerMinute: optional(11))
  }
}
