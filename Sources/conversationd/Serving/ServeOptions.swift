import ArgumentParser

/// The options of `serve` that are settings; `config` takes them too, to show what they do.
struct ServeOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The address to listen on. (default: \(Setting.named("http.host").defaultValue))",
      valueName: "address"))
  var host: String?

  @Option(
    help: ArgumentHelp(
      "The port to listen on; 0 takes a free one. (default: \(Setting.named("http.port").defaultValue))",
      valueName: "port"))
  var port: String?

  @Option(
    help: ArgumentHelp(
      "Where to listen instead of --host and --port, as HOST:PORT or unix:PATH; may be repeated.",
      valueName: "address"))
  var listen: [String] = []

  @Option(
    help: ArgumentHelp(
      "trace, debug, info, notice, warning, error or critical. "
        + "(default: \(Setting.named("log.level").defaultValue))", valueName: "level"))
  var logLevel: String?

  @Flag(
    help: "Serve other than loopback addresses without TLS, since a proxy in front terminates it.")
  var insecureHTTP = false

  /// Those that were given, by the setting's key.
  var flags: [String: String] {
    let values = [
      "http.host": host, "http.port": port,
      "http.listen": listen.isEmpty ? nil : listen.joined(separator: " "), "log.level": logLevel,
      "http.insecure": insecureHTTP ? "true" : nil,
    ]
    return values.compactMapValues { $0 }
  }
}
