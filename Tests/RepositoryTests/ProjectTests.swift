import Conversations
import Repository
import TestSupport
import Testing

/// What a store tells of all projects together.
@Suite struct ProjectTests {
  @Test(arguments: Engine.allCases)
  func `the projects are counted, and empty ones too`(engine: Engine) async throws {
    let database = TestDatabase(engine)
    let store = try database.open()
    _ = try database.makeKey("a", project: "sales")
    _ = try database.makeKey("b", project: "empty")
    let projects = try await store.projects()
    #expect(projects.map(\.name) == ["default", "sales", "empty"])
    #expect(projects.first?.id == .default)
    let sales = try #require(projects.first { $0.name == "sales" }).id
    _ = try await store.createConversation(metadata: .empty, in: .default)
    for count in 0..<3 {
      _ = try await store.createConversation(
        metadata: .empty, items: (0..<count).map { item("msg_\($0)") }, in: sales)
    }
    #expect(
      try await store.projectCounts() == [
        ProjectCount(name: "default", conversations: 1),
        ProjectCount(name: "sales", conversations: 3, items: 3), ProjectCount(name: "empty"),
      ])
    await store.close()
  }
}
