import Conversations
import Repository
import SQLite
import TestSupport
import Testing

@testable import SQLiteStore

/// Numbers follow the order of ids, also when somebody inserts by hand.
@Suite struct ConversationOrderTests {
  /// A file with conversations of the seconds 20, 40 and 60 and ten times these numbers, the middle
  /// one of another project.
  private func file() throws -> SampleFile {
    let file = try SampleFile()
    try file.execute("INSERT INTO projects (number, name) VALUES (2, 'other')")
    for second in [20, 40, 60] {
      try file.execute(insert(second, number: second * 10, project: second == 40 ? 2 : 1))
    }
    return file
  }

  private func insert(_ second: Int, number: Int? = nil, project: Int = 1) -> String {
    let number = number.map { "\($0)" } ?? "NULL"
    return """
      INSERT INTO conversations (number, project, id, created_at)
      VALUES (\(number), \(project), '\(SampleFile.id(second))', \(second));
      """
  }

  @Test(
    arguments: [
      (10, 100), (10, 199), (30, 201), (30, 300), (30, 399), (50, 401), (50, 599), (61, 601),
      (61, 700), (70, nil), (61, nil),
    ] as [(Int, Int?)])
  func `what keeps the order is taken`(second: Int, number: Int?) throws {
    let file = try file()
    try file.execute(insert(second, number: number))
    let page = try file.reader().page(query(order: .ascending))
    #expect(page.conversations.map(\.createdAt) == [20, 60, Int64(second)].sorted())
  }

  @Test(
    arguments: [
      (10, 201), (10, 300), (10, 601), (30, 199), (30, 401), (30, 700), (50, 100), (50, 399),
      (50, 601), (70, 100), (70, 300), (70, 599), (10, nil), (30, nil), (59, nil),
    ] as [(Int, Int?)])
  func `what breaks the order is refused`(second: Int, number: Int?) throws {
    let file = try file()
    for project in [1, 2] {
      let connection = try file.connection()
      let error = #expect(throws: SQLiteError.self) {
        try connection.execute(insert(second, number: number, project: project))
      }
      #expect(error?.kind == .constraint)
      #expect(error?.message == "conversations are numbered in the order of their ids")
      #expect(try connection.integer("SELECT count(*) FROM conversations") == 3)
    }
  }

  @Test func `a new conversation comes after a newest that is deleted`() async throws {
    let test = try TestRepository(now: { 1000 })
    for _ in 0..<20 {
      let newest = try await test.repository.createConversation(metadata: .empty, in: .default)
      try await test.repository.deleteConversation(newest.id, in: .default)
      let next = try await test.repository.createConversation(metadata: .empty, in: .default)
      #expect(newest.id < next.id)
      try await test.repository.deleteConversation(next.id, in: .default)
    }
    await test.repository.close()
  }

  /// Within the same second, or with a clock that was set back.
  @Test(arguments: [1000, 7])
  func `a new conversation comes after a newest that was deleted before a restart`(
    time: Int64
  ) async throws {
    let folder = TemporaryFolder()
    let path = folder.file("conversations.db")
    for _ in 0..<20 {
      let before = try SQLiteStore(path: path, clock: { 1000 * 1_000_000 })
      let older = try await before.createConversation(metadata: .empty, in: .default)
      let newest = try await before.createConversation(metadata: .empty, in: .default)
      for id in [newest.id, older.id] { try await before.deleteConversation(id, in: .default) }
      await before.close()

      let after = try SQLiteStore(path: path, clock: { time * 1_000_000 })
      let next = try await after.createConversation(metadata: .empty, in: .default)
      #expect(newest.id < next.id)
      await after.close()
    }
  }

  @Test func `the newest that was deleted by hand is remembered, in whichever order`() throws {
    for first in ["number = 600", "number >= 400", "number = 200", "true"] {
      let file = try file()
      try file.execute("DELETE FROM conversations WHERE \(first)")
      try file.execute("DELETE FROM conversations")
      let remembered = try file.connection().prepare("SELECT id FROM newest_deleted")
      #expect(try remembered.step())
      #expect(remembered.text(0) == SampleFile.id(60).description)
    }
  }
}
