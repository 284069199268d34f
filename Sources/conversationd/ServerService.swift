import API
import Glibc
import HTTP
import Logging
import Repository

/// The server from its first connection to its last, and the repository under it.
struct ServerService: Sendable {
  /// How long requests in flight may take after SIGTERM.
  private static let drainTimeout = Duration.seconds(5)
  /// How long writes may still wait for another process's lock then.
  private static let lockTimeout = Duration.seconds(2)
  /// How long requests on the management listener may take then.
  private static let managementDrainTimeout = Duration.seconds(1)
  /// How often it is told that connections are refused, at most, and looked at.
  private static let refusalsInterval = (told: Duration.seconds(60), looked: Duration.seconds(1))
  /// How often old idempotency keys are looked for and uses of API keys written down, at least.
  private static let upkeepInterval = Duration.seconds(60)

  /// What to show first; nil serves plain HTTP.
  let certificate: Certificate?
  let settings: Settings
  let repository: Repository
  let metrics: Metrics
  let signals: ServerSignals
  let logger: Logger

  /// Serves until a signal, or the repository, asks for the end.
  ///
  /// - Parameters:
  ///   - socket: Where to serve.
  ///   - management: Where the management listener is.
  /// - Throws: Why the end was not an orderly one.
  func run(
    on socket: consuming ListeningSocket, management: consuming ListeningSocket?
  ) async throws(Failure) {
    let counts = ConnectionCounts()
    let api = API(
      repository: repository, logger: logger, settings: settings.api, metrics: metrics,
      connections: counts)
    let managementServer = try startManagement(on: management, api)
    let authority = socket.authority
    let server = try start(on: socket, api, counts)
    announce(server, authority)
    let upkeep = Task { await keepUp() }
    let refusals = Task { await tellOfRefusals(counts) }
    let reload = Task { for await _ in signals.hangUps { readCertificateAgain(for: server) } }
    for await _ in signals.stops { break }
    upkeep.cancel()
    refusals.cancel()
    reload.cancel()
    logger.info("stopping")
    repository.prepareToClose(within: Self.lockTimeout)
    guard await server.stop(within: Self.drainTimeout) else {
      throw Failure(.unavailable, "requests in flight did not end in time and were cut off")
    }
    _ = await managementServer?.stop(within: Self.managementDrainTimeout)
    await upkeep.value
    await writeKeyUses()
    await repository.close()
    if repository.isStopped {
      throw Failure(
        .io, "the disk failed during a commit; restart to recover what has reached it")
    }
    logger.info("stopped")
  }

  /// Tells where the server listens, in the log and on standard output.
  private func announce(_ server: Server, _ authority: String) {
    let url = "\(certificate == nil ? "http" : "https")://\(authority)"
    let line = "conversationd listening on \(url)"
    let dashboard = settings.api.hasDashboard ? "dashboard at \(url)/dashboard\n" : ""
    logger.info(
      "\(line)",
      metadata: [
        "database": "\(settings.databasePath)",
        "version": "\(Version.text)",
        "api_keys": (try? repository.hasAPIKeys()) == true ? "required" : "none yet",
      ])
    if server.connectionsMax < settings.server.connectionsMax {
      logger.warning(
        "the limit of open files allows fewer connections than the settings do",
        metadata: ["connections_max": .stringConvertible(server.connectionsMax)])
    }
    logExpiry(certificate)
    // For whoever reads it; that nobody does is no reason not to serve.
    startThread("stdout") {
      let bytes = Array("\(line)\n\(dashboard)".utf8)
      _ = write(STDOUT_FILENO, bytes, bytes.count)
    }
  }

  /// Does again and again what no request waits for, until it is cancelled. An idempotency key
  /// counts as forgotten when it is too old, so it does not matter when exactly its row goes.
  private func keepUp() async {
    let retention = Duration.seconds(settings.repository.idempotencySeconds)
    while true {
      do {
        try await repository.forgetOldIdempotencyKeys()
      } catch {
        logger.warning("old idempotency keys were not forgotten", metadata: ["cause": "\(error)"])
      }
      await writeKeyUses()
      do {
        try await repository.shrinkLog()
      } catch {
        logger.warning("the write-ahead log was not emptied", metadata: ["cause": "\(error)"])
      }
      if let error = repository.state.logWriteBackError {
        logger.error(
          "the write-ahead log could not be written back when that was last tried, and grows",
          metadata: ["cause": "\(error)"])
      }
      do {
        try await Task.sleep(for: min(Self.upkeepInterval, retention))
      } catch {
        return
      }
    }
  }

  /// A certificate that cannot be used leaves the old one in place.
  private func readCertificateAgain(for server: Server) {
    guard let files = settings.tls else {
      logger.info("nothing to read again: there is no certificate")
      return
    }
    do {
      let certificate = try files.read()
      server.use(certificate)
      logExpiry(certificate)
    } catch {
      logger.error(
        "the certificate was not read again, the old one stays", metadata: ["cause": "\(error)"])
    }
  }

  private func logExpiry(_ certificate: Certificate?) {
    guard let certificate else { return }
    metrics.useCertificate(expiringAt: certificate.expiresAt)
    logger.log(
      level: certificate.expiresAt > Timestamp.now.unixSeconds ? .info : .error,
      "the TLS certificate in use",
      metadata: ["expires": "\(Timestamp(unixSeconds: certificate.expiresAt))"])
  }

  private func writeKeyUses() async {
    do {
      try await repository.writeKeyUses()
    } catch {
      logger.warning(
        "the last uses of API keys were not written down", metadata: ["cause": "\(error)"])
    }
  }

  /// Tells that connections are refused, and how many: the first time soon, and then now and then.
  private func tellOfRefusals(_ counts: ConnectionCounts) async {
    var toldCount = 0
    while !Task.isCancelled {
      let count = counts.values.refusedAtLimit
      if count > toldCount {
        logger.warning(
          "connections were refused, since http.connections_max are open",
          metadata: ["refused": .stringConvertible(count - toldCount)])
      }
      let interval = Self.refusalsInterval
      try? await Task.sleep(for: count > toldCount ? interval.told : interval.looked)
      toldCount = count
    }
  }

  private func start(
    on socket: consuming ListeningSocket, _ api: API, _ counts: ConnectionCounts
  ) throws(Failure) -> Server {
    do {
      return try Server(
        on: socket, configuration: settings.server, certificate: certificate, counts: counts,
        gate: { api.refuseContent(of: $0) }, handler: { api.respond(to: $0) })
    } catch {
      throw Failure(error, host: settings.host, port: settings.port)
    }
  }

  private func startManagement(
    on socket: consuming ListeningSocket?, _ api: API
  ) throws(Failure) -> Server? {
    guard let socket else { return nil }
    let (authority, reach) = (socket.authority, socket.reach)
    do {
      let server = try Server(on: socket, configuration: .management) {
        api.respondToManagement($0, reach: reach)
      }
      logger.info("management listening on \(authority)")
      return server
    } catch {
      throw Failure(error, management: authority)
    }
  }
}

extension Server.Configuration {
  /// A few connections of its own, which nobody may keep for long.
  fileprivate static let management = Server.Configuration(
    eventLoops: 1, connectionsMax: 16, idleTimeoutSeconds: 15, requestTimeoutSeconds: 5,
    headerBytesMax: 16 << 10, bodyBytesMax: 1024, bodiesBytesMax: 1 << 20)
}
