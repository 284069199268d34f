import Conversations
import Repository
import SQLite
import TestSupport
import Testing

@testable import SQLiteStore

/// All that is stored, in words: a line a conversation, with its pairs and its idempotency keys, one
/// an API key, an item and a former set. The id of a conversation that is not of the sample is `new`.
struct StoredContent: Equatable, CustomStringConvertible {
  private(set) var lines: [String]

  init(path: String) throws {
    let connection = try Connection(path: path, mode: .readOnly, busyTimeoutMilliseconds: 1000)
    let conversations = try Self.conversations(connection).map { id, text in
      "\(id.hasSuffix(Self.sampleDigits) ? id : "new") \(text)"
    }
    let others = try Self.keys(connection) + Self.items(connection) + Self.former(connection)
    lines = (conversations + others).sorted()
  }

  /// What the ids of `SampleFile` end with.
  private static let sampleDigits = String(repeating: "0", count: 40)

  /// The conversations by their ids.
  static func conversations(_ connection: borrowing Connection) throws -> [String: String] {
    let rows = try connection.prepare(
      """
      SELECT id,
        (SELECT group_concat(key || '=' || value, ' ') FROM (
          SELECT key, value FROM metadata WHERE conversation = number ORDER BY key)),
        (SELECT group_concat(key) FROM idempotency_keys WHERE conversation = number)
      FROM conversations
      """)
    var conversations: [String: String] = [:]
    while try rows.step() {
      conversations[rows.repairedText(0)] = "\(rows.repairedText(1)) once=\(rows.repairedText(2))"
    }
    return conversations
  }

  private static func keys(_ connection: borrowing Connection) throws -> [String] {
    let rows = try connection.prepare(
      "SELECT printf('key %s revoked=%s used=%s', name, revoked_at, last_used_at) FROM api_keys")
    var lines: [String] = []
    while try rows.step() { lines.append(rows.repairedText(0)) }
    return lines
  }

  private static func items(_ connection: borrowing Connection) throws -> [String] {
    let rows = try connection.prepare(
      """
      SELECT printf('item %s %s', iif(
        conversations.id LIKE '%\(sampleDigits)', conversations.id, 'new'), items.id)
      FROM items JOIN conversations ON conversations.number = items.conversation
      """)
    var lines: [String] = []
    while try rows.step() { lines.append(rows.repairedText(0)) }
    return lines
  }

  private static func former(_ connection: borrowing Connection) throws -> [String] {
    let rows = try connection.prepare(
      "SELECT printf('former %s %s', conversation, before) FROM metadata_changes")
    var lines: [String] = []
    while try rows.step() { lines.append(rows.repairedText(0)) }
    return lines
  }

  mutating func add(_ line: String) {
    lines.append(line)
    lines.sort()
  }

  /// Puts a line, or none, in the place of those that begin so.
  mutating func replace(_ beginning: String, by line: String? = nil) {
    lines.removeAll { $0.hasPrefix("\(beginning) ") }
    if let line { add("\(beginning) \(line)") }
  }

  /// Only what is not in the sample, since so many lines are too many to read.
  var description: String {
    "\(lines.count) lines, \(lines.filter { !$0.contains(" parity=") })"
  }
}

extension StoredContent {
  /// What may be stored after writes of which each was answered, or refused with an error.
  ///
  /// - Parameter isClear: Whether an error says that nothing was stored, and why.
  func outcomes(
    of writes: [FaultWrite], _ errors: [RepositoryError?],
    isClear: (RepositoryError) -> Bool
  ) -> [StoredContent] {
    var allowed = [self]
    for (write, error) in zip(writes, errors) {
      let changed = allowed.map { content in
        var content = content
        write.change(&content)
        return content
      }
      switch error {
      case nil: allowed = changed
      case .commitUnknown: allowed += changed
      case .some(let error) where isClear(error): if write.hasSteps { allowed += changed }
      case .some(let error): Issue.record("not a clear error: \(error)")
      }
    }
    return allowed
  }
}

extension RepositoryError? {
  /// Whether what was asked may be stored or not.
  var isUnknown: Bool {
    if case .commitUnknown = self { true } else { false }
  }
}
