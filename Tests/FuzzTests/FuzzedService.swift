import API
import Conversations
import Foundation
import HTTP
import Logging
import Repository
import SQLiteStore
import Synchronization
import TestSupport

/// Two empty services for all inputs of a run: one that needs a key and one that has none yet.
final class FuzzedService: Sendable {
  static let shared = FuzzedService()
  static let project = "project-x"

  let withKey: API
  let withoutKeys: API
  /// The only key that counts.
  let key: String
  private let log = LogTexts()
  private let folder = TemporaryFolder()
  private let answered = Mutex<Response?>(nil)

  private init() {
    let path = folder.file("with-key.db")
    let logger = Logger(label: "fuzz") { [log] _ in log }
    withKey = API(repository: try! SQLiteStore(path: path), logger: logger)
    key = try! APIKeys(path: path)
      .create(name: "fuzz", project: Self.project, rights: .readWrite, lifetimeSeconds: nil).text
    withoutKeys = API(
      repository: try! SQLiteStore(path: folder.file("without-keys.db")), logger: logger)
    // What is shared by all has no end of its own.
    atexit { try? FileManager.default.removeItem(atPath: FuzzedService.shared.folder.path) }
  }

  /// - Returns: nil when the answer needs another thread, which that of a GET does not.
  func answer(_ request: Request) -> Response? {
    answered.withLock { $0 = nil }
    Task.immediate {
      let response = await withKey.respond(to: request).value
      answered.withLock { $0 = response }
    }
    return answered.withLock { $0 }
  }

  /// What was logged since the last time.
  func takeLogged() -> [String] { log.take() }
}

/// Keeps the values of what is logged.
private final class LogTexts: LogHandler {
  private let texts = Mutex<[String]>([])

  func take() -> [String] {
    texts.withLock { texts in
      defer { texts = [] }
      return texts
    }
  }

  func log(event: LogEvent) {
    let values = event.metadata?.values.map { "\($0)" } ?? []
    texts.withLock { $0 += values }
  }

  var metadata: Logger.Metadata {
    get { [:] }
    set {}
  }
  var logLevel: Logger.Level {
    get { .trace }
    set {}
  }
  subscript(metadataKey _: String) -> Logger.Metadata.Value? {
    get { nil }
    set {}
  }
}
