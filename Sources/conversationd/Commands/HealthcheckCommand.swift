import ArgumentParser
import JSON

/// `conversationd healthcheck`
struct HealthcheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "healthcheck",
    abstract: "Ask a running server whether it is ready.",
    discussion: """
      For containers and scripts: exits with 0 when writes can succeed, and with 69 when they cannot \
      or nobody answers. Asks the management listener if 'management.address' is set, otherwise the \
      first address of the service, which must not have TLS.
      """)

  @OptionGroup var databaseOptions: DatabaseOptions
  @OptionGroup var options: ServeOptions

  @Flag(help: "Ask only whether the process answers.")
  var live = false

  func run() throws {
    let settings = try Settings(databaseOptions.layers(flags: options.flags))
    let client = try LocalClient(settings)
    let answer = try client.get(live ? "/healthz" : "/readyz")
    guard answer.status == 200 else {
      throw Failure(.unavailable, "the server at \(client.address): \(answer.errorMessage)")
    }
    print(live ? "alive" : "ready")
  }
}

extension LocalClient.Answer {
  /// The words of an error that the server answered with.
  var errorMessage: String {
    let document = try? JSON(parsing: Array(body.utf8))
    return document?["error"]?["message"]?.string ?? "it answered with status \(status)"
  }
}
