import Conversations
import Repository
import Testing

@testable import PostgreSQLStore

@Suite struct ProjectTests {
  @Test(arguments: [Int64(1), 2, 3, 100])
  func `projects are counted a part at a time`(limit: Int64) async throws {
    let database = try TestDatabase()
    let store = try database.store()
    try database.execute("INSERT INTO projects (number, name) VALUES (2, 'other')")
    for project in [1, 2, 2, 2] as [Int64] {
      _ = try await store.createConversation(
        metadata: .empty, in: ProjectID(number: project))
    }
    #expect(
      try await store.projectCounts(atATime: limit) == [
        ProjectCount(name: "default", conversations: 1),
        ProjectCount(name: "other", conversations: 3),
      ])
    await store.close()
  }
}
