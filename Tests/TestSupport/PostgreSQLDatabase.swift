public import PostgreSQL
import PostgreSQLStore

/// A database with the newest schema in the shared cluster, which goes with the object.
public final class PostgreSQLDatabase: Sendable {
  /// The server that has it.
  public let cluster: PostgreSQLCluster
  /// Its name.
  public let name: String
  /// Its URL, as the role that owns it.
  public let url: DatabaseURL

  /// A database that the others are copies of.
  private static let template = Result {
    let cluster = try PostgreSQLCluster.shared.get()
    let name = try cluster.makeDatabase()
    _ = try PostgreSQLStore.migrate(url: cluster.databaseURL(name))
    return name
  }

  /// Makes a database without conversations.
  public init() throws {
    cluster = try PostgreSQLCluster.shared.get()
    name = try cluster.makeDatabase(from: Self.template.get())
    url = try cluster.databaseURL(name)
  }

  deinit {
    // Each is 8 MB.
    try? cluster.execute("DROP DATABASE \(name) WITH (FORCE)")
  }
}
