import API
import ArgumentParser
import Glibc
import HTTP
import Logging
import Repository
import SQLite

/// `conversationd serve`
struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Migrate the database and serve it over HTTP.",
    discussion: """
      Prints its address and that of the dashboard once it accepts connections, and logs to \
      standard error. SIGTERM and SIGINT finish what is in flight and end it with exit code 0; \
      SIGHUP reads the settings and the TLS certificate again, and logs what changed and what needs \
      a restart.

      Under systemd it tells when it is ready (Type=notify), gives signs of life (WatchdogSec=), and \
      serves the sockets that a socket unit hands it instead of the addresses of the settings.

      Flags override environment variables (\(Setting.environmentPrefix)…), which override the \
      configuration file, which overrides the defaults. Addresses other than loopback are served \
      only when requests need an API key ('conversationd keys create', or http.require_keys), and \
      only with TLS or with --insecure-http.
      """)

  @OptionGroup var databaseOptions: DatabaseOptions
  @OptionGroup var options: ServeOptions

  @Flag(help: "Refuse to create a database: a file that is missing is an error.")
  var existing = false

  func run() throws {
    let signals = ServerSignals()
    // A file at its size limit is an error of one call, not of the process.
    signal(SIGXFSZ, SIG_IGN)
    Library.prepareForManyThreads()
    let layers = try databaseOptions.layers(flags: options.flags)
    let inUse = try SettingsInUse(layers)
    let settings = inUse.settings
    let metrics = Metrics(
      build: Metrics.Build(
        version: Version.number, commit: Version.commit ?? "", sqlite: Library.version))
    let log = Log(settings, whenDropped: metrics.dropped)
    let failure = waitFor {
      do throws(Failure) {
        for warning in layers.warnings { log.logger.warning("\(warning)") }
        try await serve(inUse, metrics, signals, log)
        return Failure?.none
      } catch {
        return error
      }
    }
    log.end(with: failure)
    if let failure { throw ExitCode(failure.kind.rawValue) }
  }

  private func serve(
    _ inUse: SettingsInUse, _ metrics: Metrics, _ signals: ServerSignals, _ log: Log
  ) async throws(Failure) {
    let (settings, logger) = (inUse.settings, log.logger)
    let manager = ServiceManager(environment: processEnvironment())
    let certificate = try settings.tls?.read()
    // The address comes first: when it is not to be had, no database is created or migrated.
    let socket = try listen(settings, manager)
    let management = try listenForManagement(settings)
    let repository = try settings.database.open(
      settings, mustExist: existing, whenGroupEnded: metrics.record,
      whenStopped: signals.requestStop)
    if let backup = repository.migration.backup {
      logger.notice("copied the database before migrating it", metadata: ["backup": "\(backup)"])
    }
    for name in repository.migration.applied {
      logger.notice("migrated the database", metadata: ["migration": "\(name)"])
    }
    let service = ServerService(
      certificate: certificate, settings: settings, repository: repository, metrics: metrics,
      signals: signals, manager: manager, logger: logger)
    let reload = Reload(inUse, logLevel: log.level) { () throws(Failure) in
      try databaseOptions.layers(flags: options.flags)
    }
    try await service.run(on: socket, management: management, reload: reload)
  }

  private func listen(
    _ settings: Settings, _ manager: ServiceManager
  ) throws(Failure) -> ListeningSocket {
    let reason = try Self.reasonToStayOnLoopback(settings)
    var socket = ListeningSocket()
    for descriptor in manager.sockets {
      do {
        try socket.take(descriptor, loopbackOnly: reason != nil)
      } catch {
        throw Failure(error, inherited: descriptor, notLoopback: reason ?? "")
      }
    }
    guard manager.sockets.isEmpty else { return socket }
    for address in settings.addresses {
      do {
        try socket.listen(on: address, loopbackOnly: reason != nil, letsGroupIn: true)
      } catch {
        throw Failure(error, address, notLoopback: reason ?? "")
      }
    }
    return socket
  }

  private func listenForManagement(_ settings: Settings) throws(Failure) -> ListeningSocket? {
    guard let address = settings.managementAddress else { return nil }
    do {
      return try ListeningSocket(address)
    } catch {
      throw Failure(error, management: "\(address)")
    }
  }

  /// - Returns: nil when others than this machine may be served.
  private static func reasonToStayOnLoopback(
    _ settings: Settings
  ) throws(Failure) -> String? {
    let requiresKey = try settings.api.requiresKeys ? true : settings.database.hasAPIKeys()
    if !requiresKey {
      return "since there is no API key yet and anybody who reaches the port could read and change "
        + "everything: make one with 'conversationd keys create'"
    }
    return settings.reasonAgainstOtherMachines
  }
}
