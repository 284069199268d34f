import Conversations
import PostgreSQL
import Repository
import Synchronization
import TestSupport
import Testing

@testable import PostgreSQLStore

/// A database of the shared server with the newest schema, and a second connection to it, as psql has
/// one: not a lane, with none of the service's rules.
final class TestDatabase: Sendable {
  private let database: PostgreSQLDatabase

  init() throws {
    database = try PostgreSQLDatabase()
  }

  var cluster: PostgreSQLCluster { database.cluster }
  var name: String { database.name }
  var url: DatabaseURL { database.url }

  func store(
    readLanes: Int = 1, writeLanes: Int = 2, clock: (@Sendable () -> Int64)? = nil,
    shared: StoreSettings = StoreSettings(),
    whenGroupEnded: @escaping @Sendable (WriteGroup) -> Void = { _ in }
  ) throws -> PostgreSQLStore {
    let settings = PostgreSQLStore.Settings(
      shared: shared, readLanes: readLanes, writeLanes: writeLanes, queryLanes: 1)
    return try PostgreSQLStore(
      url: url, settings: settings, clock: clock, whenGroupEnded: whenGroupEnded)
  }

  func outsider() throws -> Connection { try Connection(url) }

  /// Runs SQL as an outsider.
  func execute(_ sql: String) throws {
    var connection = try outsider()
    try connection.execute(sql)
  }

  /// The one number that a statement answers an outsider.
  func number(_ sql: String) throws -> Int64 {
    var connection = try outsider()
    return try connection.run([.once(sql)], within: .seconds(30))[0].int64(0, 0)
  }

  func findings() throws -> [PostgreSQLFinding] {
    try PostgreSQLStore.check(url: url).findings
  }
}

/// Somebody with psql, whose transaction stays open between two lines.
final class Person {
  private var connection: Connection

  init(_ database: TestDatabase) throws {
    connection = try database.outsider()
  }

  func run(_ sql: String...) throws {
    _ = try connection.run(sql.map { .once($0) }, within: .seconds(10))
  }
}

func metadata(_ pairs: KeyValuePairs<String, String>) throws -> Metadata {
  try Metadata(pairs.map { try Metadata.Pair(key: $0.key, value: $0.value) })
}

/// An item to add, whose fields hold a text.
func item(_ id: String, text: String = "a") -> AddedItem {
  .item(Item(id: ItemID(id)!, type: "message", fields: Array(#"{"text":"\#(text)"}"#.utf8)))
}

extension Store {
  @discardableResult
  func create(_ pairs: KeyValuePairs<String, String> = [:]) async throws -> Conversation {
    try await createConversation(metadata: metadata(pairs), in: .default)
  }

  func read(_ id: ConversationID) async throws -> Metadata {
    let finding = try await look(LookUp(key: nil, subject: .conversation(id))).result.get()
    guard case .conversation(let conversation) = try finding.value.get() else {
      throw RepositoryError.conversationNotFound
    }
    return conversation.metadata
  }
}

/// The error that a call throws, or nil.
func repositoryError(_ body: () async throws -> Void) async -> RepositoryError? {
  do {
    try await body()
    return nil
  } catch {
    return error as? RepositoryError
  }
}

/// The SQLSTATE of the error that a call throws; nil when it throws none.
func sqlState(_ body: () throws -> Void) -> String? {
  do {
    try body()
    return nil
  } catch {
    return (error as? PostgreSQLError)?.sqlState
  }
}
