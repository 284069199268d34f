/// A statement that connections prepare, to be run many times.
public struct Statement: Sendable {
  /// Its name, unique among the statements of a connection.
  public let name: String
  /// Its text, with `$1`, `$2`, … for parameters.
  public let sql: String

  /// - Parameters:
  ///   - name: Unique among the statements of a connection.
  ///   - sql: One statement, with `$1`, `$2`, … for parameters.
  public init(_ name: String, _ sql: String) {
    self.name = name
    self.sql = sql
  }

  /// The statement with its parameters.
  ///
  /// - Parameter add: Adds the parameters in their order.
  public func call(_ add: (inout Parameters) -> Void = { _ in }) -> Call {
    var parameters = Parameters()
    add(&parameters)
    return Call(statement: self, parameters: parameters)
  }
}

/// A statement and its parameters.
public struct Call: Sendable {
  let statement: Statement
  let parameters: Parameters

  /// A statement that is not prepared, for what runs once.
  ///
  /// - Parameter add: Adds the parameters in their order.
  public static func once(_ sql: String, _ add: (inout Parameters) -> Void = { _ in }) -> Call {
    Statement("", sql).call(add)
  }
}
