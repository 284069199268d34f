/// What PostgreSQL answered instead of doing what was asked, or why it could not be asked.
///
/// The kind comes from the SQLSTATE alone
/// (https://www.postgresql.org/docs/current/errcodes-appendix.html). Of the server's words only the
/// primary message is kept: details may quote values of rows.
public struct PostgreSQLError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The five characters of the SQLSTATE; nil when the error is libpq's own.
  public let sqlState: String?
  /// The server's primary message, or libpq's words.
  public let message: String
  /// The constraint that was violated, if the server names one.
  public let constraint: String?
  /// Whether the connection can no longer be used.
  public let isConnectionLost: Bool

  /// The groups of SQLSTATEs that callers tell apart; `sqlState` has the rest.
  public enum Kind: Sendable {
    /// There is no connection, or the server ended or refused it (class 08, 57P01 to 57P05, 53300).
    case connection
    /// The server takes no writes: a standby, or a primary that was demoted (25006).
    case readOnly
    /// A serialization failure or a deadlock; a repeat may succeed (40001, 40P01).
    case conflict
    /// A key, a table or a type of that name exists already (23505, 42P07, 42710).
    case duplicate
    /// Another constraint, or a trigger that raised an error, refused a row (class 23, P0001).
    case constraint
    /// A lock was not to be had in time (55P03).
    case lockTimeout
    /// A statement ran longer than it may, or was cancelled (57014).
    case cancelled
    /// The server's disk is full (53100).
    case full
    /// The server has no memory left (53200).
    case memory
    /// There is no such table, schema or database (42P01, 3F000, 3D000).
    case missing
    /// Everything else.
    case other
  }

  /// The group that the error belongs to.
  public var kind: Kind {
    if isConnectionLost { return .connection }
    switch sqlState {
    case "57P01", "57P02", "57P03", "57P05", "53300", "25P03": return .connection
    case "25006": return .readOnly
    case "40001", "40P01": return .conflict
    case "23505", "42P07", "42710": return .duplicate
    case "P0001": return .constraint
    case "55P03": return .lockTimeout
    case "57014": return .cancelled
    case "53100": return .full
    case "53200": return .memory
    case "42P01", "3F000", "3D000": return .missing
    case let state?:
      if state.hasPrefix("08") { return .connection }
      return state.hasPrefix("23") ? .constraint : .other
    case nil: return .other
    }
  }

  /// For the log: the SQLSTATE and the message.
  public var description: String {
    "PostgreSQL error \(sqlState ?? "without SQLSTATE"): \(message)"
  }

  /// - Parameters:
  ///   - sqlState: The five characters of the SQLSTATE; nil when the error is libpq's own.
  ///   - message: The server's primary message, or libpq's words.
  ///   - constraint: The constraint that was violated.
  ///   - isConnectionLost: Whether the connection can no longer be used.
  public init(
    sqlState: String?, message: String, constraint: String? = nil, isConnectionLost: Bool = false
  ) {
    self.sqlState = sqlState
    self.message = message
    self.constraint = constraint
    self.isConnectionLost = isConnectionLost
  }
}
