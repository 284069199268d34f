import API
import ArgumentParser
import Foundation
import HTTP
import Logging
import Repository
import ServiceLifecycle
import UnixSignals

/// `conversationd serve`
struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Migrate the database and serve it over HTTP.",
    discussion: """
      Prints one line with the address once it accepts connections, and logs to standard error. \
      SIGTERM and SIGINT finish what is in flight and end it with exit code 0.

      Flags are over environment variables (\(Setting.environmentPrefix)…), these over the \
      configuration file, this over the defaults. Without API keys only loopback addresses are \
      served.
      """)

  @OptionGroup var databaseOptions: DatabaseOptions

  @Option(
    help: ArgumentHelp(
      "The address to listen on. (default: \(Setting.host.defaultValue))", valueName: "address"))
  var host: String?

  @Option(
    help: ArgumentHelp(
      "The port to listen on; 0 takes a free one. (default: \(Setting.port.defaultValue))",
      valueName: "port"))
  var port: String?

  @Option(
    help: ArgumentHelp(
      "trace, debug, info, notice, warning, error or critical. "
        + "(default: \(Setting.logLevel.defaultValue))", valueName: "level"))
  var logLevel: String?

  func run() async throws {
    // A reader that goes away and a file at its size limit are errors of one call, not of the
    // process.
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    let settings = try await databaseOptions.settings(
      flags: [(.host, host), (.port, port), (.logLevel, logLevel)])
    let logger = Logger(settings)
    for warning in settings.warnings { logger.warning("\(warning)") }

    // The address comes first: when it is not to be had, no database is created or migrated.
    let socket = try listen(settings)
    let (stops, stopped) = AsyncStream.makeStream(of: Void.self)
    let repository: Repository
    do {
      repository = try Repository(
        path: settings.databasePath, settings: settings.repository,
        whenStopped: { stopped.yield() })
    } catch {
      throw Failure(error, database: settings.databasePath)
    }
    for name in repository.appliedMigrations {
      logger.notice("migrated the database", metadata: ["migration": "\(name)"])
    }
    let service = ServerService(
      socket: socket, settings: settings, repository: repository, stops: stops, logger: logger)
    try await ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: [
          ServiceGroupConfiguration.ServiceConfiguration(
            service: service, successTerminationBehavior: .gracefullyShutdownGroup)
        ],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
    ).run()
  }

  private func listen(_ settings: Settings) throws -> ListeningSocket {
    do {
      return try ListeningSocket(host: settings.host, port: settings.port, loopbackOnly: true)
    } catch {
      throw Failure(error, host: settings.host, port: settings.port)
    }
  }
}
