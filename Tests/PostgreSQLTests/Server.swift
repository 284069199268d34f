import PostgreSQL
import TestSupport

/// A database of the shared server, empty.
struct Server {
  let cluster: PostgreSQLCluster
  let url: DatabaseURL

  init() throws {
    cluster = try PostgreSQLCluster.shared.get()
    url = try cluster.databaseURL(cluster.makeDatabase())
  }

  func connect() throws -> Connection { try Connection(url) }
}

extension Connection {
  /// Runs one statement that is not prepared.
  mutating func run(
    _ sql: String, _ add: (inout Parameters) -> Void = { _ in }
  ) throws(PostgreSQLError) -> Rows {
    try run([.once(sql, add)], within: .seconds(10))[0]
  }
}

/// The error that a call throws, or nil.
func error(_ body: () throws -> Void) -> PostgreSQLError? {
  do {
    try body()
    return nil
  } catch {
    return error as? PostgreSQLError
  }
}
