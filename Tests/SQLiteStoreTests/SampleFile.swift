import Conversations
import Repository
import SQLite
import TestSupport

@testable import SQLiteStore

/// A migrated file, filled by SQL in one transaction, and query readers of it.
final class SampleFile: Sendable {
  let folder = TemporaryFolder()
  var path: String { folder.file("conversations.db") }

  init() throws {
    _ = try SQLiteStore.migrate(path: path)
  }

  /// A file of so many conversations of the default project, their numbers and seconds from 1 on,
  /// with the pairs of `pairs(in:)`.
  convenience init(conversationCount: Int) throws {
    try self.init()
    try execute(Self.conversations(1...conversationCount) + Self.pairs(in: 1))
  }

  func connection() throws -> Connection {
    try Connection(path: path, mode: .readWrite, busyTimeoutMilliseconds: 5000)
  }

  /// Runs SQL in one transaction.
  func execute(_ sql: String) throws {
    try connection().execute("BEGIN; \(sql); COMMIT")
  }

  func reader() throws -> QueryReader {
    try QueryReader(path: path, busyTimeoutMilliseconds: 5000)
  }

  /// The id of the conversation of a second.
  static func id(_ second: Int) -> ConversationID {
    let digits = String(second, radix: 16)
    let zeros = String(repeating: "0", count: 8 - digits.count)
    return ConversationID("conv_" + zeros + digits + String(repeating: "0", count: 40))!
  }

  /// SQL that adds conversations without pairs, one a second and a number.
  static func conversations(_ numbers: ClosedRange<Int>, in project: Int = 1) -> String {
    """
    WITH RECURSIVE n(i) AS (
      SELECT \(numbers.lowerBound) UNION ALL SELECT i + 1 FROM n WHERE i < \(numbers.upperBound))
    INSERT INTO conversations (number, project, id, created_at)
    SELECT i, \(project), printf('conv_%08x%040d', i, 0), i FROM n;

    """
  }

  /// SQL that adds pairs to all conversations of a project, by their places in it from 0 on:
  /// `parity` is `even` or `odd` and `even` or `odd` a key, eight have `rare`, `color` has ten
  /// values, `note` is on each third.
  static func pairs(in project: Int) -> String {
    """
    CREATE TEMP TABLE place AS
    SELECT number, row_number() OVER (ORDER BY number) - 1 AS i, count(*) OVER () AS total
    FROM conversations WHERE project = \(project);
    INSERT INTO metadata (project, conversation, key, value)
    SELECT \(project), number, 'parity', iif(i % 2 = 0, 'even', 'odd') FROM place UNION ALL
    SELECT \(project), number, iif(i % 2 = 0, 'even', 'odd'), '1' FROM place UNION ALL
    SELECT \(project), number, 'rare', '1' FROM place WHERE i % (total / 8) = 0 UNION ALL
    SELECT \(project), number, 'color', 'c' || (i % 10) FROM place UNION ALL
    SELECT \(project), number, 'note', 'n' || i FROM place WHERE i % 3 = 0;
    DROP TABLE place;
    """
  }
}

/// A query whose conditions are as `add` reads them.
func query(
  _ conditions: String..., order: ConversationQuery.Order = .descending, limit: Int = 20,
  after: ConversationID? = nil, before: ConversationID? = nil, created: Range<Int64>? = nil
) throws -> ConversationQuery {
  var query = ConversationQuery()
  query.order = order
  query.limit = limit
  query.after = after.map { .conversation($0) }
  query.before = before.map { .conversation($0) }
  query.createdFrom = created?.lowerBound
  query.createdBefore = created?.upperBound
  for condition in conditions { try query.add(condition) }
  return query
}

extension ConversationQuery {
  /// Adds `a=1` (a pair), `+a` (an existing key) or `-a` (an absent one).
  mutating func add(_ condition: String) throws {
    let parts = condition.split(separator: "=", maxSplits: 1).map(String.init)
    switch condition.first {
    case "+": try require(key: String(condition.dropFirst()))
    case "-": try refuse(key: String(condition.dropFirst()))
    default: try require(Metadata.Pair(key: parts[0], value: parts[1]))
    }
  }
}

extension QueryReader {
  /// A page of the default project, with no deadline.
  func page(_ query: ConversationQuery) throws(RepositoryError) -> ConversationPage {
    try page(query, in: .default) { false }
  }
}
