import SQLite
import Synchronization
import TestSupport
import Testing

/// Several programs that migrate one file at once, each on a thread and a connection of its own.
@Suite struct SimultaneousMigrationTests {
  private let folder = TemporaryFolder()

  private static let steps = (1...5).map {
    ("000\($0)_step", "CREATE TABLE t\($0) (a TEXT); INSERT INTO t\($0) VALUES ('x')")
  }

  @Test(arguments: ["DELETE", "WAL"], 0..<10)
  func `each step is applied once`(journalMode: String, round: Int) async throws {
    let path = try folder.makeDatabase("PRAGMA journal_mode = \(journalMode)")
    let applied = try await withThrowingTaskGroup(of: [String].self) { group in
      for _ in 0..<6 {
        group.addTask {
          try await onOwnThread {
            let connection = try open(path, busyTimeoutMilliseconds: 30_000)
            return try Migrations.migrator(of: Self.steps).migrate(connection)
          }
        }
      }
      return try await group.reduce([], +)
    }
    #expect(applied.sorted() == Self.steps.map(\.0))
    let connection = try open(path)
    #expect(try connection.integer("PRAGMA user_version") == 5)
    for number in 1...5 {
      #expect(try connection.rows("SELECT a FROM t\(number)") == ["x"])
    }
  }

  /// Another program takes the file from nothing to version 1 and back, while this one reads.
  @Test func `the state is read at one moment`() async throws {
    let path = try folder.makeDatabase(
      "PRAGMA journal_mode = WAL; PRAGMA application_id = 0; PRAGMA user_version = 0")
    let isDone = Atomic(false)
    async let writing: Void = onOwnThread {
      defer { isDone.store(true, ordering: .releasing) }
      let connection = try open(path, busyTimeoutMilliseconds: 30_000)
      try connection.execute("PRAGMA synchronous = OFF")
      for _ in 0..<300 {
        try connection.execute(
          """
          BEGIN IMMEDIATE; CREATE TABLE t (a TEXT);
          PRAGMA application_id = \(Migrations.applicationID); PRAGMA user_version = 1; COMMIT;
          BEGIN IMMEDIATE; DROP TABLE t;
          PRAGMA application_id = 0; PRAGMA user_version = 0; COMMIT
          """)
      }
    }
    let failures = try await onOwnThread { () -> [MigrationError] in
      let connection = try open(path, busyTimeoutMilliseconds: 30_000)
      var failures: [MigrationError] = []
      while !isDone.load(ordering: .acquiring) {
        if let failure = Migrations.migrator.error(readingStateOf: connection) {
          failures.append(failure)
        }
      }
      return failures
    }
    try await writing
    #expect(failures.isEmpty, "\(failures.count) of them")
  }
}
