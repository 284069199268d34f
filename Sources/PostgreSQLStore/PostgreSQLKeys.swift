public import Conversations
public import PostgreSQL
public import Repository

/// The API keys of a database, made, rotated and revoked by a person, also beside running servers, for all of
/// which each change counts from the next request on.
public struct PostgreSQLKeys: ~Copyable {
  private var connection: Connection
  private let now: Int64

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

  /// Makes a key, and its project when that is new.
  ///
  /// - Parameters:
  ///   - name: A valid name.
  ///   - project: 1 to 64 characters of visible ASCII, so that it can stand in a header field.
  ///   - lifetimeSeconds: After which it does not count any more; nil for never.
  ///   - requestsPerMinute: How many requests it may send in a minute; nil where the server says so for
  ///     all keys.
  ///   - key: The key itself; a new one by default.
  /// - Returns: The key, which nobody can read again.
  /// - Throws: `.nameTaken`, `.secretTaken`, `.database`.
  public mutating func create(
    name: APIKeyName, project: String, rights: APIKeyRights, lifetimeSeconds: Int64?,
    requestsPerMinute: Int? = nil, key: APIKey = .random()
  ) throws(PostgreSQLKeysError) -> APIKey {
    let new = NewAPIKey(
      name: name, rights: rights, expiresAt: lifetimeSeconds.map { now + $0 },
      requestsPerMinute: requestsPerMinute)
    // Another program that makes a key or a project at once makes the insertion fail.
    for attempt in 1...Self.attemptsMax {
      do {
        try insert(key, new, project)
        return key
      } catch .database(.server(let cause)) {
        if cause.kind != .constraint || attempt == Self.attemptsMax {
          throw .database(.server(cause))
        }
      }
    }
    preconditionFailure("the last attempt returns or throws")
  }

  private static let attemptsMax = 5

  private mutating func insert(
    _ key: APIKey, _ new: NewAPIKey, _ project: String
  ) throws(PostgreSQLKeysError) {
    let now = now
    try inTransaction { connection throws(PostgreSQLKeysError) in
      _ = try connection.asked([KeyStatements.begin])
      let known = try connection.asked([KeyStatements.knows(key)])[0]
      guard !known.bool(0, 0) else { throw .secretTaken }
      _ = try connection.asked([
        .once(
          """
          INSERT INTO projects (number, name)
          SELECT (SELECT max(number) + 1 FROM projects), $1::text
          WHERE NOT EXISTS (SELECT 1 FROM projects WHERE name = $1::text)
          """
        ) { $0.add(project) }
      ])
      let number = try connection.asked([
        .once("SELECT number FROM projects WHERE name = $1::text") { $0.add(project) }
      ])[0].int64(0, 0)
      let found = try connection.asked([
        KeyStatements.prepare(new.name.description, in: number)
      ])[0]
      guard !found.bool(0, 0) else { throw .nameTaken }
      _ = try connection.asked([
        KeyStatements.insert(key, new, number: found.int64(0, 1), in: number, now: now)
      ])
    }
  }

  /// Revokes the key of that name, for good.
  ///
  /// - Parameter project: Its project; nil where one project alone has such a key.
  /// - Throws: `.noSuchKey`, `.ambiguousName`, `.database`.
  public mutating func revoke(
    name: String, project: String? = nil
  ) throws(PostgreSQLKeysError) {
    let now = now
    try inTransaction { connection throws(PostgreSQLKeysError) in
      let key = try connection.find(name, project)
      _ = try connection.asked([KeyStatements.revoke(key.number, now: now)])
    }
  }

  /// Makes a key with the name, the project and the rights of another, and a life as long as that had.
  /// The other one is renamed and counts for a while yet, so that clients can change one by one.
  ///
  /// - Parameters:
  ///   - project: Its project; nil where one project alone has such a key.
  ///   - graceSeconds: How long the other one counts yet, at most.
  ///   - handOver: Gives the key to whoever asked for it; when it fails, nothing changes.
  /// - Returns: The name of the other one from now on, and the Unix second at which it ends.
  /// - Throws: `.noSuchKey`, `.ambiguousName`, `.notHandedOver`, `.database`.
  public mutating func rotate(
    name: String, project: String? = nil, graceSeconds: Int64, handOver: (APIKey) -> Bool
  ) throws(PostgreSQLKeysError) -> (oldName: String, endsAt: Int64) {
    guard let newName = try? APIKeyName(name) else { throw .noSuchKey }
    let now = now
    var outcome = (oldName: "", endsAt: Int64(0))
    try inTransaction { connection throws(PostgreSQLKeysError) in
      _ = try connection.asked([KeyStatements.begin])
      let old = try connection.find(name, project)
      let rotation = KeyRotation(
        name: newName, rights: old.rights, createdAt: old.createdAt, expiresAt: old.expiresAt,
        requestsPerMinute: old.requestsPerMinute, graceSeconds: graceSeconds, now: now)
      outcome = (try connection.retire(old, rotation), rotation.endsAt)
      let number = try connection.asked([KeyStatements.prepare(name, in: old.project)])[0]
        .int64(0, 1)
      let key = APIKey.random()
      _ = try connection.asked([
        KeyStatements.insert(key, rotation.new, number: number, in: old.project, now: now)
      ])
      guard handOver(key) else { throw .notHandedOver }
    }
    return outcome
  }

  /// All keys that were ever made, in that order.
  ///
  /// - Throws: `.database`.
  public mutating func all() throws(PostgreSQLKeysError) -> [APIKeyRecord] {
    let rows = try connection.asked([.once("\(KeyStatements.selection) ORDER BY a.number")])[0]
    return (0..<rows.count).map { APIKeyRecord(rows, $0) }
  }

  /// The projects, apart from one, that have conversations, and how many.
  ///
  /// - Throws: `.database`.
  public mutating func otherProjects(
    than project: String
  ) throws(PostgreSQLKeysError) -> [(project: String, conversationCount: Int64)] {
    let rows = try connection.asked([
      .once(
        """
        SELECT p.name, count(*) FROM conversations AS c JOIN projects AS p ON p.number = c.project
        WHERE p.name <> $1::text GROUP BY p.name ORDER BY p.name
        """
      ) { $0.add(project) }
    ])[0]
    return (0..<rows.count).map { (rows.text($0, 0), rows.int64($0, 1)) }
  }

  private mutating func inTransaction(
    _ body: (inout Connection) throws(PostgreSQLKeysError) -> Void
  ) throws(PostgreSQLKeysError) {
    do {
      _ = try connection.asked([.once("BEGIN ISOLATION LEVEL READ COMMITTED")])
      try body(&connection)
      _ = try connection.asked([.once("COMMIT")])
    } catch {
      _ = try? connection.asked([.once("ROLLBACK")])
      throw error
    }
  }
}

/// A key that is not revoked.
private struct FoundKey {
  let number: Int64
  let project: Int64
  let rights: APIKeyRights
  let createdAt: Int64
  let expiresAt: Int64?
  let requestsPerMinute: Int?
}

/// Statements in functions that throw the errors of keys.
extension Connection {
  fileprivate mutating func asked(_ calls: [Call]) throws(PostgreSQLKeysError) -> [Rows] {
    do {
      return try run(calls, within: Patience.answering)
    } catch {
      throw .database(PostgreSQLStoreError(error))
    }
  }

  /// The one key of that name that is not revoked, locked.
  fileprivate mutating func find(
    _ name: String, _ project: String?
  ) throws(PostgreSQLKeysError) -> FoundKey {
    // No name has U+0000, and PostgreSQL takes no text with it.
    guard !name.utf8.contains(0), project?.utf8.contains(0) != true else { throw .noSuchKey }
    let found = try asked([KeyStatements.find(name, project)])[0]
    guard found.count > 0 else { throw .noSuchKey }
    guard found.count == 1 else {
      throw .ambiguousName(projects: (0..<found.count).map { found.text($0, 1) })
    }
    return FoundKey(
      number: found.int64(0, 0), project: found.int64(0, 2),
      rights: APIKeyRights(isReadOnly: found.bool(0, 3), isAdmin: found.bool(0, 4)),
      createdAt: found.int64(0, 5), expiresAt: found.isNull(0, 6) ? nil : found.int64(0, 6),
      requestsPerMinute: found.isNull(0, 7) ? nil : Int(found.int64(0, 7)))
  }

  /// Gives a key's name away, and an end to the key.
  ///
  /// - Returns: Its name from now on.
  fileprivate mutating func retire(
    _ key: FoundKey, _ rotation: KeyRotation
  ) throws(PostgreSQLKeysError) -> String {
    for oldName in rotation.oldNames {
      let isTaken = try asked([KeyStatements.prepare(oldName, in: key.project)])[0].bool(0, 0)
      if isTaken { continue }
      _ = try asked([KeyStatements.rename(key.number, to: oldName, endsAt: rotation.endsAt)])
      return oldName
    }
    preconditionFailure("names do not come to an end")
  }
}

/// Why a key was not made, rotated or revoked.
public enum PostgreSQLKeysError: Error, Equatable, Sendable {
  /// The key itself is stored already, perhaps under another name, or was once.
  case secretTaken
  /// A key of the project that is not revoked has the name.
  case nameTaken
  /// No key that is not revoked has the name.
  case noSuchKey
  /// Keys of several projects that are not revoked have the name.
  case ambiguousName(projects: [String])
  /// The new key could not be given to whoever asked for it.
  case notHandedOver
  /// The database cannot be used.
  case database(PostgreSQLStoreError)
}
