internal import Conversations
internal import PostgreSQL
internal import Repository

/// What the server and `conversationd keys` do with API keys.
enum KeyStatements {
  /// The columns that `APIKeyRecord.init(_:_:)` reads.
  static let selection = """
    SELECT a.name, p.name, a.is_read_only, a.is_admin, a.created_at, a.expires_at, a.last_used_at,
      a.revoked_at, a.first_characters, a.requests_per_minute
    FROM api_keys AS a JOIN projects AS p ON p.number = a.project
    """

  /// Lets one program at a time make keys: the next number is read behind this lock. The project
  /// `default` is always there.
  static let begin = Call.once("SELECT 1 FROM projects WHERE number = 1 FOR UPDATE")

  /// Whether a project has a key with a name, the next number, and the project's name.
  static func prepare(_ name: String, in project: Int64) -> Call {
    .once(
      """
      SELECT
        EXISTS (SELECT 1 FROM api_keys
          WHERE project = $1::bigint AND name = $2::text AND revoked_at IS NULL),
        (SELECT coalesce(max(number), 0) + 1 FROM api_keys),
        (SELECT name FROM projects WHERE number = $1::bigint)
      """
    ) {
      $0.add(project)
      $0.add(name)
    }
  }

  /// Whether a key is stored, also one that is revoked.
  static func knows(_ key: APIKey) -> Call {
    .once("SELECT EXISTS (SELECT 1 FROM api_keys WHERE hash = $1::bytea)") {
      $0.add(APIKey.hash(of: key.text).hexadecimalBytes)
    }
  }

  static func insert(
    _ key: APIKey, _ new: NewAPIKey, number: Int64, in project: Int64, now: Int64
  ) -> Call {
    .once(
      """
      INSERT INTO api_keys (hash, number, project, name, first_characters, is_read_only, is_admin,
        created_at, expires_at, requests_per_minute)
      VALUES ($1::bytea, $2::bigint, $3::bigint, $4::text, $5::text, $6::boolean, $7::boolean,
        $8::bigint, $9::bigint, $10::bigint)
      """
    ) {
      $0.add(APIKey.hash(of: key.text).hexadecimalBytes)
      $0.add(number)
      $0.add(project)
      $0.add(new.name.description)
      $0.add(key.firstCharacters)
      $0.add(new.rights == .readOnly)
      $0.add(new.rights == .admin)
      $0.add(now)
      $0.add(new.expiresAt)
      $0.add(new.requestsPerMinute.map { Int64($0) })
    }
  }

  /// The key of a project that has a name and is not revoked, locked.
  static func find(_ name: String, in project: Int64) -> Call {
    .once(
      """
      SELECT number, is_admin FROM api_keys
      WHERE project = $1::bigint AND name = $2::text AND revoked_at IS NULL FOR NO KEY UPDATE
      """
    ) {
      $0.add(project)
      $0.add(name)
    }
  }

  /// The keys of a name that are not revoked, at most one of each project, locked.
  ///
  /// - Parameter project: The name of their project; nil for those of all.
  static func find(_ name: String, _ project: String?) -> Call {
    .once(
      """
      SELECT a.number, p.name, a.project, a.is_read_only, a.is_admin, a.created_at, a.expires_at,
        a.requests_per_minute
      FROM api_keys AS a JOIN projects AS p ON p.number = a.project
      WHERE a.name = $1::text AND a.revoked_at IS NULL AND ($2::text IS NULL OR p.name = $2::text)
      ORDER BY p.name FOR NO KEY UPDATE OF a
      """
    ) {
      $0.add(name)
      $0.add(project)
    }
  }

  static func rename(_ number: Int64, to name: String, endsAt: Int64) -> Call {
    .once(
      """
      UPDATE api_keys SET name = $2::text, expires_at = $3::bigint WHERE number = $1::bigint
      """
    ) {
      $0.add(number)
      $0.add(name)
      $0.add(endsAt)
    }
  }

  static func revoke(_ number: Int64, now: Int64) -> Call {
    .once("UPDATE api_keys SET revoked_at = $2::bigint WHERE number = $1::bigint") {
      $0.add(number)
      $0.add(now)
    }
  }

  /// Locks keys in an order that all programs keep.
  static func lock(_ numbers: [Int64]) -> Call {
    .once(
      """
      SELECT 1 FROM api_keys WHERE number = ANY ($1::bigint[]) ORDER BY number FOR NO KEY UPDATE
      """
    ) { $0.add(int64s: numbers) }
  }

  /// Notes when keys were last used; programs that know an earlier use change nothing.
  static func note(_ uses: [Int64: Int64]) -> Call {
    .once(
      """
      UPDATE api_keys AS a SET last_used_at = greatest(a.last_used_at, w.time)
      FROM unnest($1::bigint[], $2::bigint[]) AS w (number, time) WHERE a.number = w.number
      """
    ) {
      let numbers = uses.keys.sorted()
      $0.add(int64s: numbers)
      $0.add(int64s: numbers.map { uses[$0]! })
    }
  }
}

extension APIKeyRecord {
  /// Reads a row of `KeyStatements.selection`.
  init(_ rows: Rows, _ row: Int) {
    func optional(_ column: Int) -> Int64? {
      rows.isNull(row, column) ? nil : rows.int64(row, column)
    }
    self.init(
      name: rows.text(row, 0), project: rows.text(row, 1),
      rights: APIKeyRights(isReadOnly: rows.bool(row, 2), isAdmin: rows.bool(row, 3)),
      createdAt: rows.int64(row, 4), expiresAt: optional(5), lastUsedAt: optional(6),
      isRevoked: optional(7) != nil, firstCharacters: rows.text(row, 8),
      requestsPerMinute: optional(9).map { Int($0) })
  }
}
