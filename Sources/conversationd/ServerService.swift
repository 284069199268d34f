import API
import Foundation
import HTTP
import Logging
import Repository
import ServiceLifecycle
import Synchronization

/// The server from its first connection to its last, and the repository under it.
final class ServerService: Service {
  /// How long requests in flight may take after SIGTERM.
  private static let drainTimeout = Duration.seconds(5)
  /// How long writes may still wait for another process's lock then.
  private static let lockTimeout = Duration.seconds(2)
  /// How often old idempotency keys are looked for, at least.
  private static let sweepInterval = Duration.seconds(60)

  private let socket: Mutex<ListeningSocket?>
  private let settings: Settings
  private let repository: Repository
  private let stops: AsyncStream<Void>
  private let logger: Logger

  /// - Parameters:
  ///   - socket: Where to listen; taken by the first run.
  ///   - stops: Yields when the repository takes no more writes.
  init(
    socket: consuming ListeningSocket, settings: Settings, repository: Repository,
    stops: AsyncStream<Void>, logger: Logger
  ) {
    self.socket = Mutex(socket)
    self.settings = settings
    self.repository = repository
    self.stops = stops
    self.logger = logger
  }

  func run() async throws {
    let (server, authority) = try start()
    // For whoever reads it; that nobody does is no reason not to serve.
    try? FileHandle.standardOutput.write(
      contentsOf: Data("conversationd listening on http://\(authority)\n".utf8))

    logger.info(
      "serving",
      metadata: [
        "address": "\(authority)", "database": "\(settings.databasePath)",
        "version": "\(Conversationd.version)",
      ])
    let sweep = Task { await forgetOldIdempotencyKeys() }
    for await _ in stops.cancelOnGracefulShutdown() { break }
    sweep.cancel()
    logger.info("stopping")
    repository.prepareToClose(within: Self.lockTimeout)
    guard await server.stop(within: Self.drainTimeout) else {
      throw Failure("requests in flight did not end in time and were cut off")
    }
    await sweep.value
    await repository.close()
    if repository.isStopped {
      throw Failure(
        "the disk failed during a commit; restart to recover what has reached it")
    }
    logger.info("stopped")
  }

  /// Forgets idempotency keys again and again, until it is cancelled. A key counts as forgotten when
  /// it is too old, so it does not matter when exactly its row goes.
  private func forgetOldIdempotencyKeys() async {
    let retention = Duration.seconds(settings.repository.idempotencySeconds)
    while true {
      do {
        try await repository.forgetOldIdempotencyKeys()
      } catch {
        logger.warning("old idempotency keys were not forgotten", metadata: ["cause": "\(error)"])
      }
      do {
        try await Task.sleep(for: min(Self.sweepInterval, retention))
      } catch {
        return
      }
    }
  }

  private func start() throws -> (server: Server, authority: String) {
    let taken = socket.withLock { $0.take() }
    guard let socket = taken else { preconditionFailure("a service runs once") }
    let authority = socket.authority
    let api = API(repository: repository, logger: logger, logsRequests: settings.logsRequests)
    do {
      let server = try Server(on: socket, configuration: settings.server) { request in
        await api.respond(to: request)
      }
      return (server, authority)
    } catch {
      throw Failure(error, host: settings.host, port: settings.port)
    }
  }
}
