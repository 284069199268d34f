import Conversations
import PostgreSQL
import Repository
import TestSupport
import Testing

@testable import PostgreSQLStore

/// What `conversationd keys` does.
@Suite struct KeysTests {
  @Test func `keys are made, listed and revoked`() async throws {
    let database = try TestDatabase()
    var keys = try PostgreSQLKeys(url: database.url, now: 1000)
    let name = try APIKeyName("a")
    let key = try keys.create(
      name: name, project: "sales", rights: .admin, lifetimeSeconds: nil)
    _ = try keys.create(name: name, project: "default", rights: .readOnly, lifetimeSeconds: 60)
    #expect(try PostgreSQLStore.hasAPIKeys(url: database.url))
    let records = try keys.all()
    #expect(records.map(\.project) == ["sales", "default"])
    #expect(records.map(\.rights) == [.admin, .readOnly])
    #expect(records.map(\.expiresAt) == [nil, 1060])
    let store = try database.store()
    let access = try await store.look(LookUp(key: key.text)).result.get().access
    #expect(access?.projectName == "sales" && access?.rights == .admin)
    _ = try await store.createConversation(
      metadata: .empty, items: [], in: #require(access?.project))
    let others = try keys.otherProjects(than: "default")
    #expect(others.map(\.project) == ["sales"] && others.map(\.conversationCount) == [1])
    try keys.revoke(name: "a", project: "sales")
    #expect(try await store.look(LookUp(key: key.text)).result.get().access == nil)
    #expect(try keys.all().map(\.isRevoked) == [true, false])
    await store.close()
  }

  @Test func `what cannot be done is told`() throws {
    let database = try TestDatabase()
    var keys = try PostgreSQLKeys(url: database.url)
    let name = try APIKeyName("a")
    for project in ["one", "two"] {
      _ = try keys.create(name: name, project: project, rights: .readWrite, lifetimeSeconds: nil)
    }
    func failure(
      _ body: () throws -> Void
    ) -> PostgreSQLKeysError? {
      do { try body() } catch { return error as? PostgreSQLKeysError }
      return nil
    }
    let taken = failure {
      var keys = try PostgreSQLKeys(url: database.url)
      _ = try keys.create(name: name, project: "one", rights: .readWrite, lifetimeSeconds: nil)
    }
    #expect(taken == .nameTaken)
    let ambiguous = failure {
      var keys = try PostgreSQLKeys(url: database.url)
      try keys.revoke(name: "a")
    }
    #expect(ambiguous == .ambiguousName(projects: ["one", "two"]))
    let missing = failure {
      var keys = try PostgreSQLKeys(url: database.url)
      try keys.revoke(name: "a\0")
    }
    #expect(missing == .noSuchKey)
    try keys.revoke(name: "a", project: "two")
    try keys.revoke(name: "a")
  }
}
