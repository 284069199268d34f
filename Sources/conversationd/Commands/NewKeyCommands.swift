import ArgumentParser
import Conversations
import Repository
import SQLiteStore

/// What a key is to be: the options of `keys create` and `keys import`.
struct NewKeyOptions: ParsableArguments {
  @Option(help: "The name of the key, for people: 1 to 64 characters.")
  var name: String

  @Option(help: "The project that it belongs to; it is made when it is new.")
  var project = "default"

  @Flag(help: "Allow GET and HEAD only.")
  var readOnly = false

  @Flag(
    help: """
      Also allow making, listing and revoking the keys of the project, and exporting and importing its \
      conversations, over HTTP.
      """)
  var admin = false

  @Option(
    help: ArgumentHelp(
      "How long it counts: a number and s, m, h, d or w, such as 90d; at most 100 years. "
        + "(default: for ever)",
      valueName: "duration"))
  var expires: Lifetime?

  @Option(
    help: ArgumentHelp(
      "How many requests it may send in a minute, 0 for any number. "
        + "(default: what http.requests_per_minute_max says)",
      valueName: "number"))
  var requestsPerMinute: Int?

  func validate() throws {
    if readOnly, admin {
      throw ValidationError("--read-only and --admin exclude each other")
    }
    let range = NewAPIKey.requestsPerMinuteRange
    if let requestsPerMinute, !range.contains(requestsPerMinute) {
      throw ValidationError(
        "--requests-per-minute is a number from \(range.lowerBound) to \(range.upperBound)")
    }
  }

  private var rights: APIKeyRights { readOnly ? .readOnly : admin ? .admin : .readWrite }

  /// Stores a key, and says what else there is to know.
  ///
  /// - Parameter whenStored: Tells the person of it.
  func store(
    _ key: @autoclosure () throws -> APIKey, _ settings: Settings,
    whenStored: (APIKey) throws -> Void
  ) throws {
    do {
      try APIKeys.check(name: name, project: project)
    } catch {
      throw Failure(error, name: name, project: project, database: "")
    }
    let database = settings.database
    try database.requireThere()
    let isFirst = try !database.hasAPIKeys()
    let key = try database.createKey(
      key(), name: name, project: project, rights: rights, lifetimeSeconds: expires?.seconds,
      requestsPerMinute: requestsPerMinute, settings)
    try whenStored(key)
    if isFirst { writeError("It is the first key: from now on every request needs one.") }
    warn(of: try database.otherProjects(than: project, settings))
  }

  /// Who begins to use keys may have conversations that the new key cannot see.
  private func warn(of others: [(project: String, conversationCount: Int64)]) {
    for other in others {
      writeError(
        "Warning: project '\(other.project)' holds \(other.conversationCount) conversations, which "
          + "this key cannot see.")
    }
  }
}

extension KeysCommand {
  /// `conversationd keys import`
  struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "import",
      abstract: "Store a key that clients have already, from standard input.",
      discussion: """
        Reads one line of \(APIKey.importedLengths.lowerBound) to \
        \(APIKey.importedLengths.upperBound) visible ASCII characters. It must be as hard to guess \
        as a key that 'create' makes. The database stores a hash of it and its first 4 characters.
        """)

    @OptionGroup var databaseOptions: DatabaseOptions
    @OptionGroup var options: NewKeyOptions

    func run() throws {
      let settings = try databaseOptions.settings()
      try options.store(try Self.read(), settings) { _ in
        print(
          "imported the key '\(options.name)' for project '\(options.project)' into "
            + "\(settings.database)")
      }
    }

    private static func read() throws(Failure) -> APIKey {
      guard let key = readLine().flatMap({ APIKey(imported: $0) }), readLine() == nil else {
        let lengths = APIKey.importedLengths
        throw Failure(
          .data,
          "standard input must be one line of \(lengths.lowerBound) to \(lengths.upperBound) visible "
            + "ASCII characters, none of them a space")
      }
      return key
    }
  }

  /// `conversationd keys rotate`
  struct RotateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "rotate",
      abstract: "Make a new key in the place of another, and print it.",
      discussion: """
        The new key takes the name, the project, the rights and the limit, and lives as long as the \
        old one did. The old one becomes 'NAME (until DATE)' and counts for a while yet, so that clients can \
        change one by one; 'revoke' ends it at once.
        """)

    @OptionGroup var databaseOptions: DatabaseOptions

    @Argument(help: "The name of the key.")
    var name: String

    @Option(help: "Its project, where several projects have a key of that name.")
    var project: String?

    @Option(
      help: ArgumentHelp(
        "How long the old key counts yet: a number and s, m, h, d or w. (default: 7d)",
        valueName: "duration"))
    var grace: Lifetime?

    private static let graceSeconds: Int64 = 7 * 86_400

    func run() throws {
      let settings = try databaseOptions.settings()
      let old = try settings.database.rotateKey(
        name: name, project: project, graceSeconds: grace?.seconds ?? Self.graceSeconds,
        settings, handOver: Self.hand)
      writeError(
        "Created a new key '\(name)' in \(settings.database). Keep it in a safe place: it is not "
          + "shown again. The old one is '\(old.oldName)' now, and counts until "
          + "\(Timestamp(unixSeconds: old.endsAt)).")
    }

    /// - Returns: Whether it was printed.
    private static func hand(_ key: APIKey) -> Bool {
      print(key.text)
      return (try? Conversationd.flushOutput()) != nil
    }
  }
}
