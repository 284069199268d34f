import Conversations
import SQLite
import TestSupport
import Testing

@testable import SQLiteStore

@Suite struct NumberStreamTests {
  /// The plan of a statement, one line a step.
  private func plan(_ sql: String, on file: SampleFile) throws -> [String] {
    let explain = try file.connection().prepare("EXPLAIN QUERY PLAN \(sql)")
    var lines: [String] = []
    while try explain.step() { lines.append(explain.repairedText(3)) }
    return lines
  }

  /// SQLite says `rowid` for the number of a conversation, and shows `>=` as `>`.
  @Test(
    arguments: [
      (.all, "conversations", "conversations_by_project", "project=? AND rowid"),
      (.key, "metadata", "metadata_by_key", "project=? AND key=? AND conversation"),
      (.pair, "metadata", "metadata_by_pair", "project=? AND key=? AND value=? AND conversation"),
    ] as [(NumberStream.Kind, String, String, String)])
  func `a stream is one range of one index, in its order`(
    kind: NumberStream.Kind, table: String, index: String, terms: String
  ) throws {
    let file = try SampleFile()
    for (direction, comparison) in [(WalkDirection.up, ">"), (.down, "<")] {
      #expect(
        try plan(NumberStream.sql(kind, direction), on: file)
          == ["SEARCH \(table) USING COVERING INDEX \(index) (\(terms)\(comparison)?)"])
    }
  }

  /// `INDEXED BY` leaves the planner no other choice, whatever statistics somebody has gathered.
  @Test(
    arguments: [
      (.all, "conversations_by_project"), (.key, "metadata_by_key"), (.pair, "metadata_by_pair"),
    ] as [(NumberStream.Kind, String)])
  func `a stream without its index is an error, and no scan`(
    kind: NumberStream.Kind, index: String
  ) throws {
    let file = try SampleFile()
    try file.execute("DROP INDEX \(index)")
    for direction in [WalkDirection.up, .down] {
      let error = #expect(throws: SQLiteError.self) {
        try file.connection().execute("EXPLAIN " + NumberStream.sql(kind, direction))
      }
      #expect(error?.message == "no such index: \(index)")
    }
  }

  /// What a stream must answer, looked up in the list of all its numbers.
  private func first(
    _ numbers: [Int64], _ direction: WalkDirection, from number: Int64
  ) -> Int64? {
    direction == .up ? numbers.first { $0 >= number } : numbers.last { $0 <= number }
  }

  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func `a walk finds what stands in the table`(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let file = try SampleFile(conversationCount: 100)
    let connection = try file.connection()
    try connection.execute("DELETE FROM conversations WHERE number % 7 = 3")
    let remaining = (1...100 as ClosedRange<Int64>).filter { $0 % 7 != 3 }
    let looks: [(NumberStream.Kind, String?, String?, [Int64])] = [
      (.all, nil, nil, remaining),
      (.key, "note", nil, remaining.filter { ($0 - 1) % 3 == 0 }),
      (.pair, "color", "c4", remaining.filter { ($0 - 1) % 10 == 4 }),
      (.pair, "color", "none", []),
      (.key, "none", nil, []),
    ]
    for (kind, key, value, numbers) in looks {
      for direction in [WalkDirection.up, .down] {
        let stream = try NumberStream(kind, direction, on: connection)
        // The second walk begins with what the first has left behind.
        for _ in 0..<2 {
          try stream.start(in: .default, key: key, value: value)
          var number: Int64 = direction == .up ? 0 : 101
          while (0...101).contains(number) {
            let found = try stream.first(from: number)
            try #require(found == first(numbers, direction, from: number))
            let step = Int64.random(in: 0...20, using: &random)
            number += direction == .up ? step : -step
          }
          stream.stop()
        }
      }
    }
  }

  @Test func `a stream sees its project alone`() throws {
    let file = try SampleFile()
    try file.execute(
      "INSERT INTO projects (number, name) VALUES (2, 'other');"
        + SampleFile.conversations(1...3) + SampleFile.conversations(4...6, in: 2)
        + SampleFile.pairs(in: 2))
    let connection = try file.connection()
    let stream = try NumberStream(.pair, .up, on: connection)
    for (project, expected) in [(ProjectID.default, nil), (ProjectID(number: 2), Int64(4))] {
      try stream.start(in: project, key: "parity", value: "even")
      #expect(try stream.first(from: 1) == expected)
      stream.stop()
    }
  }

  @Test func `a stopped stream holds no snapshot`() throws {
    let file = try SampleFile(conversationCount: 20)
    let connection = try file.connection()
    let stream = try NumberStream(.all, .up, on: connection)
    try stream.start(in: .default, key: nil, value: nil)
    _ = try stream.first(from: 1)
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)"
    let other = try file.connection()
    try other.execute("PRAGMA busy_timeout = 0; DELETE FROM conversations WHERE number = 20")
    #expect(try other.integer(checkpoint) == 1)
    stream.stop()
    #expect(try other.integer(checkpoint) == 0)
  }
}
