import ArgumentParser
import Glibc

/// `conversationd status`
struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show how a running server is.",
    discussion: """
      Readiness, version, sizes, rates and the slowest routes, from the management listener \
      ('management.address'), or without one from the first address of the service where that needs \
      neither TLS nor a key for '/metrics'. Rates are of the seconds that the command counts. Exits \
      with 69 when the server is not ready or does not answer.
      """)

  @OptionGroup var databaseOptions: DatabaseOptions
  @OptionGroup var options: ServeOptions
  @OptionGroup var jsonOption: JSONOption

  @Option(help: "How long to count for the rates, 1 to 3600.")
  var seconds = 1

  func validate() throws {
    guard (1...3600).contains(seconds) else {
      throw ValidationError("--seconds must be an integer from 1 to 3600")
    }
  }

  func run() throws {
    let settings = try Settings(databaseOptions.layers(flags: options.flags))
    let client = try LocalClient(settings)
    let begin = ContinuousClock.now
    let before = try samples(from: client)
    sleep(UInt32(seconds))
    let after = try samples(from: client)
    let counted = (ContinuousClock.now - begin) / .seconds(1)
    let readiness = try client.get("/readyz")
    let status = ServerStatus(
      reason: readiness.status == 200 ? nil : readiness.errorMessage, before: before, after: after,
      seconds: counted)
    if jsonOption.isWanted {
      print(status.json.text)
    } else {
      for line in status.lines { print(line) }
    }
    if status.reason != nil { throw ExitCode(Failure.Kind.unavailable.rawValue) }
  }

  private func samples(from client: LocalClient) throws(Failure) -> MetricsSamples {
    let answer = try client.get("/metrics")
    guard answer.status == 200 else {
      throw Failure(
        .unavailable,
        "the server at \(client.address) does not show its metrics: \(answer.errorMessage) Set "
          + "'management.address', for it and for this command")
    }
    return MetricsSamples(answer.body)
  }
}

extension ServerStatus {
  /// How many routes are shown to a person.
  private static let routesShownMax = 5

  /// For people.
  var lines: [String] {
    let facts: [(String, String?)] = [
      ("ready", reason.map { "no: \($0)" } ?? "yes"),
      (
        "version",
        version.map { version in
          "\(version)\(commit.map { " (commit \($0))" } ?? ""), SQLite \(sqlite ?? "unknown")"
        }
      ),
      ("started", time("process_start_time_seconds")),
      ("memory", bytes("process_resident_memory_bytes")),
      (
        "descriptors",
        integer("process_open_fds").map {
          "\($0) of \(integer("process_max_fds") ?? 0)"
        }
      ),
      ("connections", integer("conversationd_connections").map { "\($0)" }),
      ("database", bytes("conversationd_database_bytes")),
      ("write-ahead log", bytes("conversationd_database_wal_bytes")),
      (
        "certificate",
        time("conversationd_tls_certificate_expiry_timestamp_seconds").map {
          "expires \($0)"
        }
      ),
      ("requests", "\(requestsPerSecond.shown(digits: 1)) a second"),
      ("writes", "\(writesPerSecond.shown(digits: 1)) a second"),
      ("server errors", "\(serverErrorsPerSecond.shown(digits: 1)) a second"),
      ("writes waiting", integer("conversationd_writes_waiting").map { "\($0)" }),
    ]
    let rows = routes.prefix(Self.routesShownMax).map { route in
      [
        route.path, "\(route.requestCount)", "\((route.meanSeconds * 1000).shown(digits: 2)) ms",
        route.slowSeconds == .infinity
          ? "over 10 s" : "\((route.slowSeconds * 1000).shown(digits: 2)) ms",
      ]
    }
    let table = Table([["SLOWEST ROUTES", "REQUESTS", "MEAN", "99 % WITHIN"]] + rows)
    let shown = facts.compactMap { name, value in value.map { ["\(name):", $0] } }
    return Table(shown).lines + (rows.isEmpty ? [] : [""] + table.lines)
  }

  private func time(_ name: String) -> String? {
    integer(name).map { "\(Timestamp(unixSeconds: $0))" }
  }

  private func bytes(_ name: String) -> String? {
    integer(name).map { "\((Double($0) / 1_048_576).shown(digits: 1)) MiB" }
  }

  /// For programs: bytes, seconds, and times in Unix seconds.
  var json: JSONValue {
    .object([
      "ready": .boolean(reason == nil), "reason": .optional(reason) { .string($0) },
      "version": .optional(version) { .string($0) }, "commit": .optional(commit) { .string($0) },
      "sqlite": .optional(sqlite) { .string($0) },
      "started_at": number("process_start_time_seconds"),
      "resident_bytes": number("process_resident_memory_bytes"),
      "descriptors": number("process_open_fds"), "descriptors_max": number("process_max_fds"),
      "connections": number("conversationd_connections"),
      "database_bytes": number("conversationd_database_bytes"),
      "wal_bytes": number("conversationd_database_wal_bytes"),
      "certificate_expires_at": number("conversationd_tls_certificate_expiry_timestamp_seconds"),
      "requests_per_second": .decimal(requestsPerSecond),
      "writes_per_second": .decimal(writesPerSecond),
      "server_errors_per_second": .decimal(serverErrorsPerSecond),
      "writes_waiting": number("conversationd_writes_waiting"),
      "routes": .array(routes.map(\.json)),
    ])
  }

  private func number(_ name: String) -> JSONValue { .optional(integer(name)) { .integer($0) } }
}

extension ServerStatus.Route {
  fileprivate var json: JSONValue {
    .object([
      "route": .string(path), "requests": .integer(requestCount),
      "mean_seconds": .decimal(meanSeconds), "p99_seconds": .decimal(slowSeconds),
    ])
  }
}

extension Double {
  /// With so many digits after the point; `unknown` for what is out of all proportion, or negative.
  fileprivate func shown(digits: Int) -> String {
    let unit = digits == 1 ? 10.0 : 100.0
    guard let whole = UInt64(exactly: (self * unit).rounded()) else { return "unknown" }
    let fraction = String(UInt64(unit) + whole % UInt64(unit)).dropFirst()
    return "\(whole / UInt64(unit)).\(fraction)"
  }
}
