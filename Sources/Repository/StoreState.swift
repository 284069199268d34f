/// How a store stands at one moment.
public struct StoreState: Sendable {
  /// Writes that wait for their turn.
  public let waitingWrites: Int
  /// What else there is to watch, as the engine names it.
  public let measures: [StoreMeasure]

  /// - Parameters:
  ///   - waitingWrites: Writes that wait for their turn.
  ///   - measures: What else there is to watch.
  public init(waitingWrites: Int, measures: [StoreMeasure]) {
    self.waitingWrites = waitingWrites
    self.measures = measures
  }
}

/// A number that an operator watches.
public struct StoreMeasure: Sendable {
  /// What a number does over time.
  public enum Kind: Sendable {
    /// It only grows.
    case counter
    /// It goes up and down.
    case gauge
  }

  /// The metric's name, without the program's: `database_bytes`.
  public let name: String
  /// What the number does over time.
  public let kind: Kind
  /// One sentence for the reader of the metrics.
  public let help: String
  /// The number.
  public let value: Int

  /// - Parameters:
  ///   - name: The metric's name, without the program's.
  ///   - kind: What the number does over time.
  ///   - help: One sentence for the reader of the metrics.
  ///   - value: The number.
  public init(_ name: String, _ kind: Kind, _ help: String, _ value: Int) {
    self.name = name
    self.kind = kind
    self.help = help
    self.value = value
  }
}

/// Something that an operator should know of, and that no request is answered with.
public struct StoreProblem: Sendable {
  /// What is wrong, for the log.
  public let message: String
  /// The engine's words.
  public let cause: String
  /// Whether somebody has to do something about it.
  public let isUrgent: Bool

  /// - Parameters:
  ///   - message: What is wrong, for the log.
  ///   - cause: The engine's words.
  ///   - isUrgent: Whether somebody has to do something about it.
  public init(_ message: String, cause: String, isUrgent: Bool) {
    self.message = message
    self.cause = cause
    self.isUrgent = isUrgent
  }
}

/// What became of some writes that shared a commit, for whoever watches.
public struct WriteGroup: Sendable {
  /// How long each of them waited for its turn.
  public let waits: [Duration]
  /// From the group's beginning to its end.
  public let commit: Duration
  /// Whether it is stored.
  public let isStored: Bool

  /// - Parameters:
  ///   - waits: How long each of them waited for its turn.
  ///   - commit: From the group's beginning to its end.
  ///   - isStored: Whether it is stored.
  public init(waits: [Duration], commit: Duration, isStored: Bool) {
    self.waits = waits
    self.commit = commit
    self.isStored = isStored
  }
}

/// What bringing a database to the newest schema did.
public struct MigrationReport: Equatable, Sendable {
  /// The names of the migrations that were applied.
  public let applied: [String]
  /// The copy that was made before, when there was something to copy and the engine makes copies.
  public let backup: String?

  /// - Parameters:
  ///   - applied: The names of the migrations that were applied.
  ///   - backup: The copy that was made before.
  public init(applied: [String], backup: String?) {
    self.applied = applied
    self.backup = backup
  }
}
