import CPostgreSQL

/// What one statement answered: rows in binary form, read by row and column, both from 0. It owns
/// libpq's result, and is used by one thread at a time.
public final class Rows {
  private let functions: conversationd_libpq
  private let result: OpaquePointer

  /// How many rows there are.
  public let count: Int
  /// Whether the server sent a warning before this result.
  public let hasWarning: Bool

  init(_ result: OpaquePointer, _ functions: conversationd_libpq, hasWarning: Bool) {
    self.result = result
    self.functions = functions
    self.hasWarning = hasWarning
    count = Int(functions.PQntuples(result))
  }

  deinit {
    functions.PQclear(result)
  }

  /// What the server calls the statement that it ran: `COMMIT`, `INSERT 0 1`.
  public var command: String { String(cString: functions.PQcmdStatus(result)!) }

  /// Whether a value is NULL.
  public func isNull(_ row: Int, _ column: Int) -> Bool {
    functions.PQgetisnull(result, Int32(row), Int32(column)) == 1
  }

  /// A `bigint`, `integer` or `smallint`.
  ///
  /// - Precondition: It is not NULL.
  public func int64(_ row: Int, _ column: Int) -> Int64 {
    let bytes = buffer(row, column)
    precondition(!bytes.isEmpty && bytes.count <= 8, "column \(column) is no integer")
    let sign: Int64 = bytes[0] & 0x80 == 0 ? 0 : -1
    return bytes.reduce(sign) { $0 << 8 | Int64($1) }
  }

  /// A `boolean`; false for NULL.
  public func bool(_ row: Int, _ column: Int) -> Bool {
    buffer(row, column).first == 1
  }

  /// A `text`; empty for NULL. A database in UTF-8 holds nothing else, so nothing is repaired.
  public func text(_ row: Int, _ column: Int) -> String {
    String(decoding: buffer(row, column), as: UTF8.self)
  }

  /// The bytes of a `bytea`, a `text`, a `json` or a `uuid`; none for NULL.
  public func bytes(_ row: Int, _ column: Int) -> [UInt8] {
    Array(buffer(row, column))
  }

  /// Calls a function with the bytes of a value, which are good during the call alone.
  public func withBytes<Value>(
    _ row: Int, _ column: Int, _ body: (Span<UInt8>) -> Value
  ) -> Value {
    body(UnsafeBufferPointer(rebasing: buffer(row, column).bindMemory(to: UInt8.self)[...]).span)
  }

  // libpq's memory, good until the result is cleared.
  private func buffer(_ row: Int, _ column: Int) -> UnsafeRawBufferPointer {
    let (row, column) = (Int32(row), Int32(column))
    return UnsafeRawBufferPointer(
      start: functions.PQgetvalue(result, row, column),
      count: Int(functions.PQgetlength(result, row, column)))
  }
}
