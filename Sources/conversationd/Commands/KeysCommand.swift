import ArgumentParser
import Conversations
import Glibc
import Repository
import SQLiteStore

/// `conversationd keys`
struct KeysCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys",
    abstract: "Make, rotate, import, list and revoke API keys.",
    discussion: """
      May run beside a server, which sees the change with its next request. Until a key is created, \
      a server needs none and serves loopback addresses only. Once a key has been created, every \
      request needs one, even if that key is revoked. A key belongs to one project and cannot see \
      the data of another.
      """,
    subcommands: [
      CreateCommand.self, RotateCommand.self, ImportCommand.self, ListCommand.self,
      RevokeCommand.self,
    ])

  mutating func run() throws {
    throw MissingCommand(of: Self.self)
  }
}

extension KeysCommand {
  /// `conversationd keys create`
  struct CreateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "create",
      abstract: "Make a key and print it.",
      discussion: """
        The key is printed this one time; the database stores only a hash of it. The database must \
        exist: 'conversationd migrate' creates one.
        """)

    @OptionGroup var databaseOptions: DatabaseOptions
    @OptionGroup var options: NewKeyOptions

    func run() throws {
      let settings = try databaseOptions.settings()
      try options.store(.random(), settings) { key in
        try hand(key, settings)
        writeError(
          "Created the key '\(options.name)' for project '\(options.project)' in "
            + "\(settings.database). Keep it in a safe place: it is not shown again.")
      }
    }

    /// A key that nobody has seen is of no use to anybody.
    private func hand(_ key: APIKey, _ settings: Settings) throws {
      do {
        print(key.text)
        try Conversationd.flushOutput()
      } catch {
        try settings.database.revokeKey(
          name: options.name, project: options.project, settings)
        throw Failure(
          .io, "the key '\(options.name)' could not be printed and was revoked; make another")
      }
    }
  }

  /// `conversationd keys list`
  struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list",
      abstract: "List all keys that were ever made.",
      discussion: """
        Times are UTC. The last use is written down once a minute. The keys themselves are stored \
        nowhere; the last column is how they begin.
        """)

    @OptionGroup var databaseOptions: DatabaseOptions
    @OptionGroup var jsonOption: JSONOption

    func run() throws {
      let settings = try databaseOptions.settings()
      let records = try settings.database.keys(settings)
      let now = UnixTime.seconds()
      if jsonOption.isWanted {
        print(JSONValue.array(records.map { Self.json($0, now: now) }).text)
        return
      }
      let heading = [
        "NAME", "PROJECT", "RIGHTS", "STATE", "CREATED", "LAST USED", "EXPIRES", "PER MINUTE",
        "KEY",
      ]
      writeError("Keys in \(settings.database):")
      let table = Table([heading] + records.map { Self.row($0, now: now) })
      for line in table.lines { print(line) }
    }

    private static func row(_ record: APIKeyRecord, now: Int64) -> [String] {
      [
        record.name, record.project, shown(record.rights), state(of: record, now: now),
        shown(record.createdAt), record.lastUsedAt.map(shown) ?? "never",
        record.expiresAt.map(shown) ?? "never", shown(limit: record.requestsPerMinute),
        "\(record.firstCharacters)...",
      ]
    }

    private static func state(of record: APIKeyRecord, now: Int64) -> String {
      if record.isRevoked { return "revoked" }
      return record.expiresAt.map { $0 <= now } ?? false ? "expired" : "active"
    }

    /// With times in Unix seconds, and rights as the HTTP API names them.
    private static func json(_ record: APIKeyRecord, now: Int64) -> JSONValue {
      .object([
        "name": .string(record.name), "project": .string(record.project),
        "rights": .string(record.rights == .readOnly ? "read_only" : "read_write"),
        "admin": .boolean(record.rights == .admin),
        "state": .string(state(of: record, now: now)), "created_at": .integer(record.createdAt),
        "last_used_at": .optional(record.lastUsedAt) { .integer($0) },
        "expires_at": .optional(record.expiresAt) { .integer($0) },
        "requests_per_minute": .optional(record.requestsPerMinute) { .integer(Int64($0)) },
        "redacted_value": .string("\(record.firstCharacters)..."),
      ])
    }

    private static func shown(limit: Int?) -> String {
      limit.map { $0 == 0 ? "any" : "\($0)" } ?? "setting"
    }

    private static func shown(_ rights: APIKeyRights) -> String {
      switch rights {
      case .readOnly: "read-only"
      case .readWrite: "read-write"
      case .admin: "admin"
      }
    }

    private static func shown(_ unixSeconds: Int64) -> String {
      "\(Timestamp(unixSeconds: unixSeconds))"
    }
  }

  /// `conversationd keys revoke`
  struct RevokeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "revoke",
      abstract: "Revoke a key, for good.",
      discussion: "Its name may be used again.")

    @OptionGroup var databaseOptions: DatabaseOptions

    @Argument(help: "The name of the key.")
    var name: String

    @Option(help: "Its project, where several projects have a key of that name.")
    var project: String?

    func run() throws {
      let settings = try databaseOptions.settings()
      try settings.database.revokeKey(name: name, project: project, settings)
      print("revoked '\(name)' in \(settings.database)")
    }
  }
}

/// A length of time as a person writes it: `90d`.
struct Lifetime: ExpressibleByArgument {
  let seconds: Int64

  init?(argument: String) {
    guard let seconds = DurationText.seconds(argument, upTo: NewAPIKey.lifetimeSecondsMax) else {
      return nil
    }
    self.seconds = seconds
  }
}
