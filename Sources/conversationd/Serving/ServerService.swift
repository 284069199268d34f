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
  /// How long all of the end may take, as TimeoutStopSec= in the unit.
  private static let stopTimeout = Duration.seconds(15)
  /// How long requests on the management listener may take then.
  private static let managementDrainTimeout = Duration.seconds(1)
  /// How often it is told that connections are refused, at most, and looked at.
  private static let refusalsInterval = (told: Duration.seconds(60), looked: Duration.seconds(1))
  /// How often projects are counted; and old idempotency keys looked for and uses of API keys written
  /// down, at least.
  private static let upkeepInterval = Duration.seconds(60)

  /// What to show first; nil serves plain HTTP.
  let certificate: Certificate?
  let settings: Settings
  let repository: any Store
  let metrics: Metrics
  let signals: ServerSignals
  let manager: ServiceManager
  let logger: Logger

  /// Serves until a signal, or the repository, asks for the end.
  ///
  /// - Parameters:
  ///   - socket: Where to serve.
  ///   - management: Where the management listener is.
  ///   - reload: What SIGHUP changes.
  /// - Throws: Why the end was not an orderly one.
  func run(
    on socket: consuming ListeningSocket, management: consuming ListeningSocket?,
    reload: Reload
  ) async throws(Failure) {
    let counts = ConnectionCounts()
    let drain = Drain()
    let api = ServedAPI(
      API(
        repository: repository, logger: logger, settings: settings.api, metrics: metrics,
        connections: counts, drain: drain))
    let managementServer = try startManagement(on: management, api)
    let authorities = socket.authorities
    let server = try start(on: socket, api, counts)
    await announce(server, authorities)
    manager.tellReady()
    let (changes, rulesChanged) = AsyncStream.makeStream(
      of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let tasks = [
      Task { await tellOfRefusals(counts) }, Task { await giveSignsOfLife(of: server) },
      Task {
        for await _ in signals.hangUps { readAgain(reload, for: server, api, rulesChanged) }
      },
    ]
    let retention = RetentionService(repository: repository, metrics: metrics, logger: logger)
    let upkeep = [
      Task { await keepUp() }, Task { await forgetMetadata() }, Task { await countProjects() },
      Task { await retention.run(restartingAt: changes) { reload.settings } },
    ]
    for await _ in signals.stops { break }
    await self.drain(drain, for: .seconds(reload.settings.drainSeconds))
    for task in tasks + upkeep { task.cancel() }
    logger.info("stopping")
    repository.prepareToClose(within: Self.lockTimeout)
    guard await server.stop(within: Self.drainTimeout) else {
      throw Failure(.unavailable, "requests in flight did not end in time and were cut off")
    }
    _ = await managementServer?.stop(within: Self.managementDrainTimeout)
    for task in upkeep { await task.value }
    await writeKeyUses()
    await repository.close()
    if repository.isStopped {
      throw Failure(
        .io, "the disk failed during a commit; restart to recover what has reached it")
    }
    logger.info("stopped")
  }

  /// Tells where the server listens, in the log and on standard output.
  private func announce(_ server: Server, _ authorities: [String]) async {
    let scheme = certificate == nil ? "http" : "https"
    let urls = authorities.map { $0.hasPrefix("unix:") ? $0 : "\(scheme)://\($0)" }
    var lines = urls.map { "conversationd listening on \($0)" }
    let hasKeys = try? await repository.hasAPIKeys()
    for line in lines {
      logger.info(
        "\(line)",
        metadata: [
          "database": "\(settings.database)",
          "version": "\(Version.text)",
          "api_keys": hasKeys == true ? "required" : "none yet",
        ])
    }
    if settings.api.hasDashboard, let url = urls.first(where: { !$0.hasPrefix("unix:") }) {
      lines.append("dashboard at \(url)/dashboard")
    }
    if server.connectionsMax < settings.server.connectionsMax {
      logger.warning(
        "the limit of open files allows fewer connections than the settings do",
        metadata: ["connections_max": .stringConvertible(server.connectionsMax)])
    }
    logExpiry(certificate)
    // For whoever reads it; that nobody does is no reason not to serve.
    startThread("stdout") { [lines] in
      let bytes = Array(lines.map { "\($0)\n" }.joined().utf8)
      _ = write(STDOUT_FILENO, bytes, bytes.count)
    }
  }

  /// Does again and again what no request waits for, until it is cancelled. An idempotency key
  /// counts as forgotten when it is too old, so it does not matter when exactly its row goes.
  private func keepUp() async {
    let retention = Duration.seconds(settings.store.idempotencySeconds)
    while true {
      do {
        try await repository.forgetOldIdempotencyKeys()
      } catch {
        logger.warning("old idempotency keys were not forgotten", metadata: ["cause": "\(error)"])
      }
      await writeKeyUses()
      for problem in await repository.tidyUp() {
        logger.log(
          level: problem.isUrgent ? .error : .warning, "\(problem.message)",
          metadata: ["cause": "\(problem.cause)"])
      }
      do {
        try await Task.sleep(for: min(Self.upkeepInterval, retention))
      } catch {
        return
      }
    }
  }

  /// Forgets old metadata again and again, until it is cancelled. After a change of the setting there
  /// may be much of it, and `keepUp` does not wait for that.
  private func forgetMetadata() async {
    while !Task.isCancelled {
      do {
        try await repository.forgetOldMetadata()
      } catch {
        logger.warning("old metadata was not forgotten", metadata: ["cause": "\(error)"])
      }
      try? await Task.sleep(for: Self.upkeepInterval)
    }
  }

  /// Says for a time that the server is about to stop, and goes on to answer; until a second signal.
  private func drain(_ drain: Drain, for duration: Duration) async {
    let duration = repository.isStopped ? .zero : duration
    manager.tellStopping(within: duration + Self.stopTimeout)
    drain.begin()
    guard duration > .zero else { return }
    logger.info(
      "draining: /readyz is answered 503", metadata: ["seconds": "\(duration.components.seconds)"])
    await withTaskGroup { group in
      group.addTask { for await _ in signals.stops { break } }
      group.addTask { try? await Task.sleep(for: duration) }
      await group.next()
      group.cancelAll()
    }
    // What is left of the time begins now, not when the drain began.
    manager.tellStopping(within: Self.stopTimeout)
  }

  /// Tells the service manager that the event loops go round, as often as it wants; nothing while one
  /// is stuck.
  private func giveSignsOfLife(of server: Server) async {
    guard let interval = manager.watchdogInterval else { return }
    while !Task.isCancelled {
      await server.waitForEventLoops()
      manager.tellAlive()
      try? await Task.sleep(for: interval / 3)
    }
  }

  /// Reads the settings again, and then the certificate. What cannot be used leaves the old in place.
  ///
  /// - Parameter rulesChanged: Gets a word when the settings of retention have changed.
  private func readAgain(
    _ reload: Reload, for server: Server, _ api: ServedAPI,
    _ rulesChanged: AsyncStream<Void>.Continuation
  ) {
    manager.tellReloading()
    defer { manager.tellReady() }
    do {
      let changes = try reload.perform()
      if changes.contains(where: { $0.key.hasPrefix("retention.") }) { rulesChanged.yield() }
      let hasCertificate = readCertificateAgain(reload.settings.tls, for: server)
      let told = changes.filter { hasCertificate || !$0.isDone || !$0.key.hasPrefix("tls.") }
      for change in told { log(change) }
      server.use(limitsOf: reload.settings.server)
      api.use(reload.settings.api)
      logger.info(
        "read the settings again",
        metadata: ["changed": .stringConvertible(told.count { $0.isDone })])
      reload.useLogLevel()
    } catch {
      logger.error(
        "the settings were not read again, the old ones stay", metadata: ["cause": "\(error)"])
      readCertificateAgain(reload.settings.tls, for: server)
    }
  }

  private func log(_ change: SettingsInUse.Change) {
    logger.log(
      level: change.isDone ? .notice : .warning,
      change.isDone ? "a setting changed" : "a setting changed that needs a restart",
      metadata: [
        "setting": "\(change.key)", "from": "\(change.before)", "to": "\(change.after)",
      ])
  }

  /// - Returns: Whether the certificate in use is that of the files.
  @discardableResult
  private func readCertificateAgain(_ files: TLSFiles?, for server: Server) -> Bool {
    guard let files else { return true }
    do {
      let certificate = try files.read()
      server.use(certificate)
      logExpiry(certificate)
      return true
    } catch {
      logger.error(
        "the certificate was not read again, the old one stays", metadata: ["cause": "\(error)"])
      return false
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

  /// Counts what is in each project, again and again, until it is cancelled.
  private func countProjects() async {
    guard settings.countsProjects, settings.managementAddress != nil else { return }
    while !Task.isCancelled {
      do {
        let counts = try await repository.projectCounts()
        // A count that was cancelled is not whole.
        if !Task.isCancelled { metrics.count(counts) }
      } catch {
        if !Task.isCancelled {
          logger.warning("the projects were not counted", metadata: ["cause": "\(error)"])
        }
      }
      try? await Task.sleep(for: Self.upkeepInterval)
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
    on socket: consuming ListeningSocket, _ api: ServedAPI, _ counts: ConnectionCounts
  ) throws(Failure) -> Server {
    do {
      return try Server(
        on: socket, configuration: settings.server, certificate: certificate, counts: counts,
        gate: { api.refuseContent(of: $0) }, handler: { api.respond(to: $0) })
    } catch {
      throw Failure(error, settings.addresses[0])
    }
  }

  private func startManagement(
    on socket: consuming ListeningSocket?, _ api: ServedAPI
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
