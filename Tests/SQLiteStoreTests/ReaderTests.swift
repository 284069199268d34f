import Conversations
import Repository
import SQLite
import SQLiteStore
import Testing

@Suite struct ReaderTests {
  /// A statement then compiles itself again, which it can only on an open connection.
  @Test(arguments: [
    "VACUUM", "ANALYZE", "CREATE TABLE other (a); DROP TABLE other",
    "CREATE INDEX other ON metadata (value); DROP INDEX other",
  ])
  func `reads go on when somebody changes the schema`(sql: String) async throws {
    let test = try TestRepository()
    let conversation = try await test.create(["a": "1"])
    let key = try APIKeys(path: test.path).create("k")
    let hash = APIKey.hash(of: key.text)
    for _ in 0..<2 {
      #expect(try test.repository.conversation(conversation.id, in: .default) == conversation)
      #expect(try test.repository.access(keyHash: hash) != nil)
      #expect(try test.repository.hasAPIKeys())
      try await test.repository.forgetOldIdempotencyKeys()
      try test.repository.checkReadiness()
      try test.execute(sql)
    }
  }
}
