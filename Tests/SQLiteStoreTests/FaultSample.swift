import Conversations
import Foundation
import Migrations
import SQLite
import Synchronization
import TestSupport
import Testing

@testable import SQLiteStore

/// A database of 60 conversations on a disk that can fail, at a fixed time.
final class FaultSample: Sendable {
  static let now: Int64 = 110_000
  static let conversationCount = 60
  static let key = "sk-faulty"

  let folder = TemporaryFolder()
  let disk: FaultyDisk
  private let stops = Atomic(0)

  init(_ file: File = .closed, isAboveLogVFS: Bool = false) throws {
    for (name, bytes) in Self.files[file]! {
      try bytes.write(to: URL(filePath: folder.file(name)))
    }
    disk = FaultyDisk(
      under: folder.file("conversations.db"), isAboveLogVFS: isAboveLogVFS)
  }

  /// What the folder holds at first.
  enum File: CaseIterable {
    /// A file that was closed.
    case closed
    /// What a process leaves that was killed: a part is in the write-ahead log alone.
    case killed
    /// The schema's first version.
    case old
    /// No file.
    case none
  }

  var path: String { folder.file("conversations.db") }

  /// How often `whenStopped` was called.
  var stopCount: Int { stops.load(ordering: .relaxed) }

  func open(
    synchronous: SQLiteStore.Settings.Synchronous = .full
  ) throws(DatabaseError) -> SQLiteStore {
    try SQLiteStore(
      path: path,
      settings: .init(
        synchronous: synchronous, busyTimeoutMilliseconds: 200, metadataHistoryDays: 1),
      clock: { Self.now * 1_000_000 }, whenStopped: { self.stops.add(1, ordering: .relaxed) })
  }

  /// The folder as a process would leave it that is killed now.
  func killed() throws -> FaultSample {
    try FaultSample(files: files())
  }

  init(files: [FaultyDisk.File: Data]) throws {
    for (file, bytes) in files {
      try bytes.write(to: URL(filePath: folder.file("conversations.db\(file.suffix)")))
    }
    disk = FaultyDisk(under: folder.file("conversations.db"))
  }

  /// Opens the file as the next process does, which has to bring it in order, expects that nothing
  /// is wrong with it, and tells what is stored.
  func recovered(sourceLocation: SourceLocation = #_sourceLocation) async throws -> StoredContent {
    try await recover(sourceLocation: sourceLocation)
    return try StoredContent(path: path)
  }

  func recover(sourceLocation: SourceLocation = #_sourceLocation) async throws {
    try await open().close()
    let report = try SQLiteStore.check(path: path)
    #expect(report.findings == [], sourceLocation: sourceLocation)
  }

  /// The conversations by their ids.
  func conversations() throws -> [String: String] {
    try StoredContent.conversations(
      Connection(path: path, mode: .readOnly, busyTimeoutMilliseconds: 1000))
  }

  /// What is in the folder.
  func files() throws -> [FaultyDisk.File: Data] {
    var files: [FaultyDisk.File: Data] = [:]
    for file in FaultyDisk.File.allCases {
      files[file] = try? Data(contentsOf: URL(filePath: path + file.suffix))
    }
    return files
  }

  private static let files: [File: [(String, Data)]] = {
    try! [.closed: made(), .killed: made(isKilled: true), .old: made(version: 1), .none: []]
  }()

  private static func made(version: Int? = nil, isKilled: Bool = false) throws -> [(String, Data)] {
    let folder = TemporaryFolder()
    let path = folder.file("conversations.db")
    if let version {
      let older = Migrator(
        applicationID: DatabaseFile.applicationID,
        migrations: Array(Migrations.all.prefix(version)))
      #expect(FileManager.default.createFile(atPath: path, contents: nil))
      let connection = try Connection(path: path, mode: .readWrite, busyTimeoutMilliseconds: 1000)
      try connection.execute("PRAGMA journal_mode = WAL")
      #expect(try older.migrate(connection).count == version)
    } else {
      _ = try SQLiteStore.migrate(path: path)
    }
    let connection = try Connection(path: path, mode: .readWrite, busyTimeoutMilliseconds: 1000)
    try connection.execute(
      "BEGIN;" + SampleFile.conversations(1...conversationCount) + SampleFile.pairs(in: 1)
        + "COMMIT;")
    if version == nil { try connection.execute(records) }
    let names = FaultyDisk.File.allCases.map { "conversations.db\($0.suffix)" }
    func contents() -> [(String, Data)] {
      names.compactMap { name in
        (try? Data(contentsOf: URL(filePath: folder.file(name)))).map { (name, $0) }
      }
    }
    if isKilled { return contents() }
    try connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return contents().filter { !$0.1.isEmpty }
  }

  /// An item, an API key, an idempotency key and a former set that are too old, and a key that is not.
  private static let records = """
    INSERT INTO idempotency_keys
      (project, key, request_hash, conversation, answer, content_hash, created_at)
    SELECT 1, 'key' || number, printf('%064d', 0), number, '{}', printf('%032d', 0), 1000 * number
    FROM conversations WHERE number IN (2, 59);
    INSERT INTO items (conversation, id, type, created_at, fields)
    VALUES (4, 'msg_known', 'message', 1, '{}');
    INSERT INTO metadata_history (conversation, version, metadata, request_id)
    VALUES (4, 1, '{}', 'req');
    INSERT INTO api_keys (project, name, hash, first_characters, created_at)
    VALUES (1, 'k', '\(APIKey.hash(of: key))', 'sk-', 1);
    """
}
