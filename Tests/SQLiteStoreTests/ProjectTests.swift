import Conversations
import Repository
import Testing

@testable import SQLiteStore

@Suite struct ProjectTests {
  @Test(arguments: [Int64(1), 2, 3, 100])
  func `projects are counted a part at a time`(limit: Int64) async throws {
    let repository = try TestRepository()
    try repository.execute(
      "INSERT INTO projects (number, name) VALUES (2, 'other');"
        + SampleFile.conversations(1...4) + SampleFile.conversations(5...7, in: 2)
        + "DELETE FROM conversations WHERE number IN (2, 3)")
    #expect(
      try await repository.repository.projectCounts(atATime: limit) == [
        ProjectCount(name: "default", conversations: 2),
        ProjectCount(name: "other", conversations: 3),
      ])
    await repository.repository.close()
  }
}
