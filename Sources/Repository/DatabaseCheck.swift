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
  /// A pair that is over a limit, or holds U+0000.
  case limit(conversation: String, key: String)
}

/// What a check of a whole database found.
public struct DatabaseReport: Sendable {
  /// How many conversations there are, as far as they could be read.
  public fileprivate(set) var conversationCount = 0
  /// How many pairs they have, as far as they could be read.
  public fileprivate(set) var pairCount = 0
  /// What is wrong; empty when all is well.
  public fileprivate(set) var findings: [DatabaseFinding] = []
}

extension Repository {
  /// Checks a whole database, read-only, also beside a running server: SQLite's integrity and
  /// foreign-key checks, then each row against the limits and UTF-8. SQLite cannot check UTF-8, and
  /// does not look at CHECK constraints on a read-only connection.
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
    do {
      // One snapshot for all the checks, whatever a server beside them writes.
      try connection.execute("BEGIN")
      try report.look { report throws(SQLiteError) in try report.checkIntegrity(connection) }
      if version < newestVersion { return try report.ofOlderVersion() }
      try report.look { report throws(SQLiteError) in try report.checkReferences(connection) }
      try report.look { report throws(SQLiteError) in try report.checkConversations(connection) }
      try report.look { report throws(SQLiteError) in try report.checkPairs(connection) }
    } catch {
      throw DatabaseError(error)
    }
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

  fileprivate mutating func checkConversations(
    _ connection: borrowing Connection
  ) throws(SQLiteError) {
    let rows = try connection.prepare(
      "SELECT number, id, created_at FROM conversations ORDER BY number")
    var newest: ConversationID?
    while try rows.step() {
      conversationCount += 1
      let id = rows.text(1).flatMap { ConversationID($0) }
      if let id {
        if let newest, id < newest { findings.append(.outOfOrder(conversation: id.description)) }
        newest = max(newest ?? id, id)
      }
      if id?.createdAt != rows.integer(2) {
        findings.append(.unreadableConversation(number: rows.integer(0)))
      }
    }
  }

  fileprivate mutating func checkPairs(
    _ connection: borrowing Connection
  ) throws(SQLiteError) {
    let rows = try connection.prepare(
      """
      SELECT coalesce(conversations.id, 'number ' || metadata.conversation), key, value
      FROM metadata LEFT JOIN conversations ON conversations.number = metadata.conversation
      ORDER BY metadata.conversation, key
      """)
    var conversation = ""
    var count = 0
    while try rows.step() {
      pairCount += 1
      if rows.repairedText(0) != conversation {
        checkCount(count, of: conversation)
        conversation = rows.repairedText(0)
        count = 0
      }
      count += 1
      let shownKey = rows.repairedText(1)
      if let key = rows.text(1), let value = rows.text(2) {
        if (try? Metadata.Pair(key: key, value: value)) == nil {
          findings.append(.limit(conversation: conversation, key: shownKey))
        }
      } else {
        findings.append(.notUTF8(conversation: conversation, key: shownKey))
      }
    }
    checkCount(count, of: conversation)
  }

  private mutating func checkCount(_ count: Int, of conversation: String) {
    if count > Metadata.pairsMax {
      findings.append(.tooManyPairs(conversation: conversation, count: count))
    }
  }
}
