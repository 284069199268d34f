import PostgreSQL
import Repository
import TestSupport
import Testing

@testable import PostgreSQLStore

@Suite struct MigratorTests {
  private func emptyDatabase() throws -> (cluster: PostgreSQLCluster, url: DatabaseURL) {
    let cluster = try PostgreSQLCluster.shared.get()
    return (cluster, try cluster.databaseURL(cluster.makeDatabase()))
  }

  @Test func `programs that start at once migrate once`() async throws {
    let url = try emptyDatabase().url
    let applied = try await withThrowingTaskGroup(of: [String].self) { tasks in
      for _ in 0..<10 {
        tasks.addTask {
          try await onOwnThread { try PostgreSQLStore.migrate(url: url).applied }
        }
      }
      return try await tasks.reduce([], +)
    }
    #expect(
      applied == [
        "0001_create_schema", "0002_limit_requests_of_keys", "0003_keep_metadata_history",
      ])
    #expect(try PostgreSQLStore.migrate(url: url).applied.isEmpty)
    #expect(try !PostgreSQLStore.hasAPIKeys(url: url))
  }

  @Test func `a database of something else is left alone`() throws {
    let (cluster, url) = try emptyDatabase()
    var connection = try Connection(url)
    try connection.execute("CREATE TABLE bills (n int)")
    #expect(throws: PostgreSQLStoreError.foreign) { try PostgreSQLStore.migrate(url: url) }
    _ = cluster
  }

  @Test func `a schema of its own in a shared database is used`() throws {
    let (cluster, _) = try emptyDatabase()
    let name = try cluster.makeDatabase()
    var connection = try Connection(cluster.databaseURL(name))
    try connection.execute("CREATE TABLE bills (n int); CREATE SCHEMA talk")
    let url = try DatabaseURL(
      "postgresql:///\(name)?user=\(PostgreSQLCluster.owner)&host="
        + cluster.socketPath.dropLast("/.s.PGSQL.5432".count) + "&options=-csearch_path%3Dtalk")
    #expect(try PostgreSQLStore.migrate(url: url).applied.count == Migrator.newestVersion)
    // The functions of the schema find its tables from any session.
    try connection.execute(
      "INSERT INTO talk.conversations (id, created_at) VALUES (decode(repeat('00', 24), 'hex'), 0)")
    #expect(try PostgreSQLStore.check(url: url).findings.isEmpty)
  }

  @Test func `a newer schema is used until it says no`() async throws {
    let database = try TestDatabase()
    try database.execute("UPDATE schema_state SET version = 7")
    let store = try database.store()
    try await store.create()
    try database.execute("UPDATE schema_state SET oldest_program = 7")
    let refusal = PostgreSQLStoreError.newer(version: 7, newestKnown: Migrator.newestVersion)
    #expect(throws: refusal) { try database.store() }
    // A program that runs goes on until it has to connect again.
    try await store.create()
    await store.close()
  }

  @Test func `an unmigrated database is not checked`() throws {
    let url = try emptyDatabase().url
    #expect(throws: PostgreSQLStoreError.notMigrated(newestKnown: Migrator.newestVersion)) {
      try PostgreSQLStore.check(url: url)
    }
    #expect(try !PostgreSQLStore.hasAPIKeys(url: url))
  }

  @Test func `another encoding is refused`() throws {
    let cluster = try PostgreSQLCluster.shared.get()
    try cluster.execute(
      """
      CREATE DATABASE latin OWNER \(PostgreSQLCluster.owner) TEMPLATE template0 ENCODING 'LATIN1'
      """)
    #expect(throws: PostgreSQLStoreError.otherEncoding("LATIN1")) {
      try PostgreSQLStore.migrate(url: cluster.databaseURL("latin"))
    }
  }

  @Test func `a server that is not there is an error of the server`() throws {
    let url = try DatabaseURL("postgresql:///none?host=/nowhere")
    let error = #expect(throws: PostgreSQLStoreError.self) { try PostgreSQLStore.migrate(url: url) }
    guard case .server(let cause) = error else { return }
    #expect(cause.kind == .io)
  }
}
