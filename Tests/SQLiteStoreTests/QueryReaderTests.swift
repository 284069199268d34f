import Conversations
import Repository
import SQLite
import Testing

@testable import SQLiteStore

@Suite struct QueryReaderTests {
  private func seconds(_ page: ConversationPage) -> [Int64] {
    page.conversations.map(\.createdAt)
  }

  @Test func `a page comes with the whole set of each conversation`() throws {
    let file = try SampleFile()
    let text = String(repeating: "😀", count: 512)
    try file.execute(
      SampleFile.conversations(1...3)
        + """
        INSERT INTO metadata (conversation, key, value)
        VALUES (1, 'b', '2'), (1, '', ''), (1, 'é', '\(text)'), (3, 'a', '1');
        """)
    let page = try file.reader().page(query(order: .ascending))
    #expect(seconds(page) == [1, 2, 3])
    #expect(
      try page.conversations.map(\.metadata)
        == [metadata(["": "", "b": "2", "é": text]), .empty, metadata(["a": "1"])])
    #expect(!page.hasMore)
  }

  @Test func `an empty file, and a range without conversations, are an empty page`() throws {
    let file = try SampleFile()
    let nothing = [
      try query(), try query("a=1"), try query(order: .ascending, after: SampleFile.id(5)),
      try query(created: 0..<Int64.max), try query(created: 5..<5),
      try query(created: Int64.min..<0),
      try query(after: SampleFile.id(2), before: SampleFile.id(3)),
      try query(after: SampleFile.id(2), before: SampleFile.id(2)),
    ]
    for query in nothing {
      let page = try file.reader().page(query)
      #expect(page.conversations.isEmpty && !page.hasMore)
    }
    try file.execute(SampleFile.conversations(1...4))
    for query in nothing.suffix(4) {
      let page = try file.reader().page(query)
      #expect(page.conversations.isEmpty && !page.hasMore)
    }
  }

  @Test func `keys and values are compared as bytes`() throws {
    let file = try SampleFile()
    try file.execute(
      SampleFile.conversations(1...5)
        + """
        INSERT INTO metadata (conversation, key, value) VALUES
          (1, 'k', 'é'), (2, 'k', 'e\u{301}'), (3, 'K', 'é'), (4, 'k', 'É'), (5, 'k', 'é ');
        """)
    let reader = try file.reader()
    #expect(try seconds(reader.page(query("k=\u{E9}"))) == [1])
    #expect(try seconds(reader.page(query("k=e\u{301}"))) == [2])
    #expect(try seconds(reader.page(query("k=\u{E9}", "k=e\u{301}"))) == [2, 1])
    #expect(try seconds(reader.page(query("+K"))) == [3])
  }

  @Test func `what cannot be shown is named, and the others are shown`() throws {
    let file = try SampleFile()
    try file.execute(
      SampleFile.conversations(1...4)
        + """
        INSERT INTO metadata (conversation, key, value) VALUES
          (1, 'a', '1'), (2, 'a', '1'), (2, 'b', CAST(x'ff' AS TEXT)), (3, 'a', '1'), (4, 'a', '1');
        """)
    let page = try file.reader().page(query("a=1", limit: 2))
    #expect(seconds(page) == [4, 3])
    #expect(page.hasMore)
    let rest = try file.reader().page(query("a=1", limit: 2, after: SampleFile.id(3)))
    #expect(seconds(rest) == [1])
    #expect(rest.unreadable == [SampleFile.id(2).description])
    #expect(!rest.hasMore)
  }

  @Test func `a reader sees what was written since its last page`() throws {
    let file = try SampleFile(conversationCount: 20)
    let reader = try file.reader()
    #expect(try reader.page(query("rare=1")).conversations.count == 10)
    try file.execute("DELETE FROM conversations WHERE number > 10")
    #expect(try reader.page(query("rare=1")).conversations.count == 5)
    try file.execute("UPDATE metadata SET value = '2' WHERE key = 'rare' AND conversation > 4")
    #expect(try seconds(reader.page(query("rare=1"))) == [3, 1])
    #expect(try seconds(reader.page(query("rare=2"))) == [9, 7, 5])
  }

  @Test func `a page is of one moment, whatever is written while it is read`() throws {
    let file = try SampleFile(conversationCount: 40)
    let writer = try file.connection()
    var asked = 0
    let page = try file.reader().page(query("parity=even"), in: .default) {
      asked += 1
      // While the page is half done, every conversation that it has not reached goes.
      if asked == 10 { #expect((try? writer.execute("DELETE FROM conversations")) != nil) }
      return false
    }
    #expect(page.conversations.count == 20)
    #expect(page.conversations.allSatisfy { $0.metadata.value(for: "parity") == "even" })
    #expect(try file.reader().page(query()).conversations.isEmpty)
  }

  @Test func `a reader between two pages holds no snapshot, also after an end in haste`() throws {
    let file = try SampleFile(conversationCount: 20)
    let reader = try file.reader()
    _ = try reader.page(query("+note", "-even"))
    _ = try? reader.page(query(), in: .default) { true }
    let other = try file.connection()
    try other.execute("PRAGMA busy_timeout = 0; DELETE FROM conversations WHERE number = 20")
    #expect(try other.integer("PRAGMA wal_checkpoint(TRUNCATE)") == 0)
  }

  @Test func `a query of 16 conditions with 16 values each is answered`() throws {
    let file = try SampleFile(conversationCount: 200)
    var widest = try query("+parity")
    for value in 0..<16 { try widest.add("color=c\(value)") }
    for key in 0..<14 {
      for value in 0..<16 { try widest.add(key == 0 ? "parity=even\(value)" : "k\(key)=\(value)") }
    }
    let reader = try file.reader()
    #expect(try reader.page(widest).conversations.isEmpty)
    var sixteen = try query("color=c1")
    for value in 2..<17 { try sixteen.add("color=c\(value)") }
    #expect(try reader.page(sixteen).conversations.count == 20)
    // More streams than are kept for the next query.
    for _ in 0..<3 { #expect(try reader.page(widest).conversations.isEmpty) }
  }
}
