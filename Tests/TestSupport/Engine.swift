public import Conversations
import PostgreSQL
import PostgreSQLStore
public import Repository
public import SQLiteStore

/// The engines that a store may have. What every store promises is tested on each.
public enum Engine: String, CaseIterable, Sendable {
  case sqlite
  case postgresql
}

/// An empty database of one test, which goes with the object.
public final class TestDatabase: Sendable {
  /// Its engine.
  public let engine: Engine
  private let folder = TemporaryFolder()
  /// Of one that is in PostgreSQL.
  private let server: Result<PostgreSQLDatabase, any Error>?

  /// - Parameter engine: Its engine.
  public init(_ engine: Engine) {
    self.engine = engine
    server = engine == .postgresql ? Result { try PostgreSQLDatabase() } : nil
  }

  private var url: DatabaseURL { get throws { try server!.get().url } }

  /// Opens it as a server does.
  ///
  /// - Parameter now: The wall clock, in Unix seconds.
  public func open(
    settings: StoreSettings = StoreSettings(),
    now: @escaping @Sendable () -> Int64 = UnixTime.seconds
  ) throws -> any Store {
    switch engine {
    case .sqlite:
      var own = SQLiteStore.Settings()
      own.shared = settings
      return try SQLiteStore(path: path, settings: own, clock: { now() * 1_000_000 })
    case .postgresql:
      return try PostgreSQLStore(
        url: url, settings: .init(shared: settings, readLanes: 1, queryLanes: 1),
        clock: { now() * 1_000_000 })
    }
  }

  /// Makes an API key beside the server, as `conversationd keys create` does.
  ///
  /// - Returns: The key.
  public func makeKey(
    _ name: String = "key", project: String = "default", rights: APIKeyRights = .readWrite,
    lifetimeSeconds: Int64? = nil, now: Int64 = UnixTime.seconds()
  ) throws -> String {
    switch engine {
    case .sqlite:
      return try APIKeys(path: path, now: now)
        .create(name: name, project: project, rights: rights, lifetimeSeconds: lifetimeSeconds)
        .text
    case .postgresql:
      var keys = try PostgreSQLKeys(url: url, now: now)
      return try keys.create(
        name: APIKeyName(name), project: project, rights: rights, lifetimeSeconds: lifetimeSeconds
      ).text
    }
  }

  /// Revokes an API key beside the server.
  public func revokeKey(_ name: String, project: String? = nil) throws {
    switch engine {
    case .sqlite: try APIKeys(path: path).revoke(name: name, project: project)
    case .postgresql:
      var keys = try PostgreSQLKeys(url: url)
      try keys.revoke(name: name, project: project)
    }
  }

  /// How much a check of the whole database finds.
  public func findingCount() throws -> Int {
    switch engine {
    case .sqlite: try SQLiteStore.check(path: path).findings.count
    case .postgresql: try PostgreSQLStore.check(url: url).findings.count
    }
  }

  /// Opens it to be read beside the server, as `conversationd export` does.
  public func openSource() throws -> any ExportSource {
    switch engine {
    case .sqlite: try SQLiteSource(path: path)
    case .postgresql: try PostgreSQLSource(url: url)
    }
  }

  /// Takes all conversations out of one that is in PostgreSQL, and what repeats would be answered by.
  public func removeConversations() throws {
    var connection = try Connection(url)
    try connection.execute(
      """
      DELETE FROM conversations; DELETE FROM idempotency_keys; DELETE FROM append_idempotency_keys
      """)
  }

  private var path: String { folder.file("conversations.db") }
}

extension SQLiteStore.Settings {
  /// The defaults, but for what is named.
  public init(
    synchronous: Synchronous = .full, busyTimeoutMilliseconds: Int = 5000,
    waitingWritesMax: Int = 4096, queryTimeoutMilliseconds: Int = 2000,
    idempotencySeconds: Int = 86_400, walBytesMax: Int = 32 << 20, copiesBytesMax: Int = 16 << 20,
    metadataHistoryDays: Int = 0
  ) {
    self.init()
    self.synchronous = synchronous
    self.busyTimeoutMilliseconds = busyTimeoutMilliseconds
    self.walBytesMax = walBytesMax
    shared.waitingWritesMax = waitingWritesMax
    shared.queryTimeoutMilliseconds = queryTimeoutMilliseconds
    shared.idempotencySeconds = idempotencySeconds
    shared.copiesBytesMax = copiesBytesMax
    shared.metadataHistoryDays = metadataHistoryDays
  }
}
