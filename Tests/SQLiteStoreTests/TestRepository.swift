import Conversations
import Foundation
import Repository
import SQLite
import TestSupport
import Testing

@testable import SQLiteStore

/// A repository on a fresh file, and a second connection to that file, as the sqlite3 CLI has one:
/// foreign keys off, none of the service's rules.
final class TestRepository: Sendable {
  let folder = TemporaryFolder()
  let repository: SQLiteStore

  init(
    settings: SQLiteStore.Settings = SQLiteStore.Settings(),
    now: @escaping @Sendable () -> Int64 = UnixTime.seconds
  ) throws {
    repository = try SQLiteStore(
      path: folder.file("conversations.db"), settings: settings,
      clock: { now() * 1_000_000 })
  }

  var path: String { folder.file("conversations.db") }

  /// Closes the file and opens it again.
  func reopened(now: @escaping @Sendable () -> Int64) async throws -> SQLiteStore {
    await repository.close()
    return try SQLiteStore(path: path, clock: { now() * 1_000_000 })
  }

  func outsider() throws -> Connection {
    try Connection(path: path, mode: .readWrite, busyTimeoutMilliseconds: 5000)
  }

  /// Runs SQL as an outsider.
  func execute(_ sql: String) throws {
    try outsider().execute(sql)
  }

  func count(_ table: String) throws -> Int {
    Int(try outsider().integer("SELECT count(*) FROM \(table)"))
  }

  @discardableResult
  func create(_ pairs: KeyValuePairs<String, String> = [:]) async throws -> Conversation {
    try await repository.createConversation(metadata: metadata(pairs), in: .default)
  }

  @discardableResult
  func replace(
    _ id: ConversationID, _ pairs: KeyValuePairs<String, String>
  ) async throws -> Conversation {
    try await repository.changeMetadata(
      of: id, in: .default, by: .replace(with: metadata(pairs)))
  }

  func read(_ id: ConversationID) throws -> Metadata {
    try repository.conversation(id, in: .default).metadata
  }
}

func metadata(_ pairs: KeyValuePairs<String, String>) throws -> Metadata {
  try Metadata(pairs.map { try Metadata.Pair(key: $0.key, value: $0.value) })
}

extension Metadata {
  /// The value of a key, if the set has it.
  func value(for key: String) -> String? {
    pairs.first { $0.key.hasSameBytes(as: key) }?.value
  }
}

extension StoreState {
  var databaseBytes: Int { value("database_bytes") }
  var writeAheadLogBytes: Int { value("database_wal_bytes") }

  private func value(_ name: String) -> Int { measures.first { $0.name == name }!.value }
}

extension SQLiteStore {
  func snapshot() -> Snapshot { Snapshot(self) }

  /// Stores a new conversation without items once.
  func createConversation(
    metadata: Metadata, in project: ProjectID, once key: IdempotencyKey,
    answer: @escaping @Sendable (Conversation) -> String
  ) async throws(RepositoryError) -> StoredResponse {
    try await createConversation(
      metadata: metadata, items: [], in: project, once: key, answer: answer)
  }

  /// Reads a conversation as of this moment.
  func conversation(_ id: ConversationID, in project: ProjectID) throws -> Conversation {
    var snapshot = snapshot()
    return try snapshot.conversation(id, in: project)
  }

  /// Looks a key up as of this moment.
  func access(keyHash hash: String) throws -> Access? {
    var snapshot = snapshot()
    return try snapshot.access(keyHash: hash)
  }
}

/// An item to add, whose fields hold a text.
func item(_ id: String, text: String = "a") -> AddedItem {
  .item(Item(id: ItemID(id)!, type: "message", fields: Array(#"{"text":"\#(text)"}"#.utf8)))
}

extension [Item] {
  var ids: [String] { map(\.id.description) }
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

/// Waits for a condition that another thread brings about.
func waitUntil(_ condition: () async -> Bool) async throws {
  let deadline = ContinuousClock.now + .seconds(10)
  while await !condition() {
    try #require(.now < deadline, "the condition did not come about")
    try await Task.sleep(for: .milliseconds(1))
  }
}

extension APIKeys {
  /// Makes a key that lets into the default project for ever, unless something else is asked for.
  func create(
    _ name: String, project: String = "default", rights: APIKeyRights = .readWrite,
    lifetimeSeconds: Int64? = nil
  ) throws(APIKeysError) -> APIKey {
    try create(name: name, project: project, rights: rights, lifetimeSeconds: lifetimeSeconds)
  }
}
