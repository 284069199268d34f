/// What a database engine reported instead of doing what was asked.
public struct EngineError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The kinds that callers tell apart.
  public enum Kind: Sendable {
    /// Somebody else holds a lock.
    case busy
    /// No space is left, on the disk or in a quota, or the database is at its largest.
    case full
    /// The operating system reported an error of input or output, or a connection was lost.
    case io
    /// The schema refused a row.
    case constraint
    /// What was opened is not a database.
    case notADatabase
    /// What is stored is damaged.
    case corrupt
    /// The database cannot be opened or reached.
    case cannotOpen
    /// The database may only be read.
    case readOnly
    /// There is no memory.
    case memory
    /// Everything else.
    case other
  }

  /// The kind that the error is of.
  public let kind: Kind
  /// For the log: the engine's code and words. Bound values are never part of it.
  public let description: String

  /// - Parameters:
  ///   - kind: The kind that the error is of.
  ///   - description: The engine's code and words, without bound values.
  public init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }
}
