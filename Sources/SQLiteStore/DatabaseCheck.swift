internal import Conversations
internal import SQLite

/// Something that is wrong in a database.
public enum DatabaseFinding: Equatable, Sendable {
  /// Whether the file itself is damaged, so that a copy of it is no backup. The others are rows that
  /// somebody wrote by hand, which a copy holds as they are.
  var isDamage: Bool {
    switch self {
    case .integrity, .orphans: true
    default: false
    }
  }

  /// The file's structure; SQLite's words.
  case integrity(String)
  /// Rows of a table that refer to a row that is not there.
  case orphans(table: String, parent: String, rows: Int)
  /// A conversation whose id cannot be one.
  case unreadableConversation(number: Int64)
  /// A conversation whose id sorts before that of an earlier number, so that lists miss it.
  case outOfOrder(conversation: String)
  /// More pairs than a set may have.
  case tooManyPairs(conversation: String, count: Int)
  /// A pair whose key or value is not UTF-8; the key is repaired.
  case notUTF8(conversation: String, key: String)
  /// An item that is not UTF-8, no JSON object, or of another project than its conversation.
  case unreadableItem(conversation: String, item: String)
  /// A former set that is not UTF-8, no JSON object of strings, or breaks a rule.
  case unreadableVersion(conversation: String, version: Int64)
  /// A conversation whose row of `activity` is missing, counts its items wrongly, or tells a moment
  /// before its creation.
  case wrongActivity(conversation: String)
  /// A pair that is over a limit, or holds U+0000.
  case limit(conversation: String, key: String)
}

/// What a check of a whole database found.
public struct DatabaseReport: Sendable {
  /// How many conversations there are, as far as they could be read.
  public internal(set) var conversationCount = 0
  /// How many pairs they have, as far as they could be read.
  public internal(set) var pairCount = 0
  /// How many items they have, as far as they could be read.
  public internal(set) var itemCount = 0
  /// What is wrong; empty when all is well.
  public internal(set) var findings: [DatabaseFinding] = []
}

extension SQLiteStore {
  /// Checks a whole database, read-only, also beside a running server: SQLite's integrity and
  /// foreign-key checks, then each row against the limits and UTF-8. SQLite cannot check UTF-8, and
  /// does not look at CHECK constraints on a read-only connection.
  ///
  /// Each of SQLite's checks is a snapshot of its own, and so is each piece of the rows, so that the
  /// server's write-ahead log can be written back in between.
  ///
  /// Of a file of an older version only the structure is checked.
  ///
  /// - Throws: `.cannotOpen` when there is no file; `.notMigrated` when the structure of an older one
  ///   is well; what else makes it unusable.
  public static func check(
    path: String, progress: (BackupProgress) -> Void = { _ in }
  ) throws(DatabaseError) -> DatabaseReport {
    let newestVersion = DatabaseFile.migrator.newestVersion
    let version = try DatabaseFile.state(path: path).version
    guard version > 0 else { throw .notMigrated(newestKnown: newestVersion) }
    let connection = try DatabaseFile.openReadOnly(path)
    var report = DatabaseReport()
    progress(.checking(0))
    do {
      try report.look { report throws(SQLiteError) in try report.checkIntegrity(connection) }
      if version < newestVersion { return try report.ofOlderVersion() }
      progress(.checking(0.4))
      try report.look { report throws(SQLiteError) in try report.checkReferences(connection) }
      progress(.checking(0.5))
      try report.look { report throws(SQLiteError) in
        try report.checkRows(connection) { progress(.checking(0.5 + $0 / 2)) }
      }
    } catch {
      throw DatabaseError(error)
    }
    progress(.checking(1))
    return report
  }
}

extension DatabaseReport {
  fileprivate func ofOlderVersion() throws(DatabaseError) -> DatabaseReport {
    guard !findings.isEmpty else {
      throw .notMigrated(newestKnown: DatabaseFile.migrator.newestVersion)
    }
    return self
  }

  /// Runs one check. Damage that it stumbles over is a finding, and the next check goes on.
  fileprivate mutating func look(
    _ check: (inout DatabaseReport) throws(SQLiteError) -> Void
  ) throws(SQLiteError) {
    do {
      try check(&self)
    } catch {
      guard error.kind == .corrupt else { throw error }
      let finding = DatabaseFinding.integrity(error.message)
      if !findings.contains(finding) { findings.append(finding) }
    }
  }

  fileprivate mutating func checkIntegrity(
    _ connection: borrowing Connection
  ) throws(SQLiteError) {
    let check = try connection.prepare("PRAGMA integrity_check")
    while try check.step() {
      let words = check.repairedText(0)
      if words != "ok" { findings.append(.integrity(words)) }
    }
  }

  fileprivate mutating func checkReferences(
    _ connection: borrowing Connection
  ) throws(SQLiteError) {
    let check = try connection.prepare(
      """
      SELECT "table", parent, count(*) FROM pragma_foreign_key_check
      GROUP BY "table", parent ORDER BY "table", parent
      """)
    while try check.step() {
      findings.append(
        .orphans(
          table: check.repairedText(0), parent: check.repairedText(1),
          rows: Int(check.integer(2))))
    }
  }

  /// How many numbers of conversations are looked at in one snapshot.
  private static let numbersAtATime: Int64 = 10_000

  /// - Parameter progress: Called with the part that is done.
  fileprivate mutating func checkRows(
    _ connection: borrowing Connection, progress: (Double) -> Void
  ) throws(SQLiteError) {
    let rows = try RowCheck(connection)
    let last = try connection.integer("SELECT coalesce(max(number), 0) FROM conversations")
    var first: Int64 = 0
    while first <= last {
      progress(Double(first) / Double(last + 1))
      // What is added meanwhile is in the last piece.
      let next = first + Self.numbersAtATime
      try rows.check(first...(next > last ? .max : next - 1), &self)
      first = next
    }
  }
}
