import Conversations
import Repository
import TestSupport
import Testing

/// A store of an engine on an empty database.
final class TestStore: Sendable {
  let database: TestDatabase
  let store: any Store

  init(
    _ engine: Engine, settings: StoreSettings = StoreSettings(),
    now: @escaping @Sendable () -> Int64 = UnixTime.seconds
  ) throws {
    database = TestDatabase(engine)
    store = try database.open(settings: settings, now: now)
  }

  /// Closes the database and opens it again.
  func reopened(
    now: @escaping @Sendable () -> Int64 = UnixTime.seconds
  ) async throws -> any Store {
    await store.close()
    return try database.open(now: now)
  }

  @discardableResult
  func create(
    _ pairs: KeyValuePairs<String, String> = [:], items: [AddedItem] = [],
    in project: ProjectID = .default
  ) async throws -> Conversation {
    try await store.createConversation(metadata: metadata(pairs), items: items, in: project)
  }

  @discardableResult
  func replace(
    _ id: ConversationID, _ pairs: KeyValuePairs<String, String>
  ) async throws -> Conversation {
    try await store.changeMetadata(of: id, in: .default, by: .replace(with: metadata(pairs)))
  }

  func read(_ id: ConversationID) async throws -> Metadata {
    try await store.conversation(id).metadata
  }

  /// How many conversations the default project has.
  func count(in project: ProjectID = .default) async throws -> Int {
    try await store.count(of: ConversationQuery(), upTo: 1000, in: project).value
  }
}

extension Store {
  /// Reads a conversation with a key, or without one where none was made.
  func conversation(_ id: ConversationID, key: String? = nil) async throws -> Conversation {
    let finding = try await look(LookUp(key: key, subject: .conversation(id))).result.get()
    guard case .conversation(let conversation) = try finding.value.get() else {
      throw NothingFound()
    }
    return conversation
  }

  /// Reads an item of the default project.
  func item(_ item: String, of id: ConversationID) async throws -> Item {
    let finding = try await look(LookUp(key: nil, subject: .item(item, of: id))).result.get()
    guard case .item(let found) = try finding.value.get() else { throw NothingFound() }
    return found
  }

  /// Looks a key up.
  func access(_ key: String?, requiresKey: Bool = false) async throws -> Access? {
    try await look(LookUp(key: key, requiresKey: requiresKey)).result.get().access
  }
}

struct NothingFound: Error {}

func metadata(_ pairs: KeyValuePairs<String, String>) throws -> Metadata {
  try Metadata(pairs.map { try Metadata.Pair(key: $0.key, value: $0.value) })
}

/// An item to add, whose fields hold a text.
func item(_ id: String, text: String = "a") -> AddedItem {
  .item(Item(id: ItemID(id)!, type: "message", fields: Array(#"{"text":"\#(text)"}"#.utf8)))
}

extension [Item] {
  var ids: [String] { map(\.id.description) }
}

/// An id that no conversation has.
let unknownID = ConversationID("conv_" + String(repeating: "0", count: 48))!

/// The error that a call throws, or nil.
func repositoryError(_ body: () async throws -> Void) async -> RepositoryError? {
  do {
    try await body()
    return nil
  } catch {
    return error as? RepositoryError
  }
}
