import CSQLite

/// A compiled statement. It finalizes itself, and goes with the thread of its connection.
///
/// Parameters are bound by name, columns read by position from 0. Text crosses in both directions
/// with its byte count, so U+0000 cuts nothing.
public struct Statement: ~Copyable {
  private let handle: OpaquePointer

  init(_ handle: OpaquePointer) {
    self.handle = handle
  }

  deinit {
    sqlite3_finalize(handle)
  }

  /// Binds an integer.
  ///
  /// - Precondition: The SQL names the parameter, `:` included.
  public func bind(_ name: StaticString, _ value: Int64) {
    let code = sqlite3_bind_int64(handle, index(of: name), value)
    precondition(code == SQLITE_OK, "binding \(name) answered \(code)")
  }

  /// Binds an integer, or NULL for nil.
  ///
  /// - Precondition: The SQL names the parameter, `:` included.
  public func bind(_ name: StaticString, _ value: Int64?) {
    if let value {
      bind(name, value)
    } else {
      let code = sqlite3_bind_null(handle, index(of: name))
      precondition(code == SQLITE_OK, "binding \(name) answered \(code)")
    }
  }

  /// Binds a text; SQLite takes a copy.
  ///
  /// - Precondition: The SQL names the parameter, `:` included.
  /// - Throws: When SQLite has no memory for the copy or the text is over its largest length.
  public func bind(_ name: StaticString, _ value: String) throws(SQLiteError) {
    try check(value.utf8Span.span.withUnsafeBufferPointer { bindText(name, $0) })
  }

  /// Binds the bytes of a text; SQLite takes a copy.
  ///
  /// - Precondition: The SQL names the parameter, `:` included; the bytes are UTF-8.
  /// - Throws: When SQLite has no memory for the copy or the text is over its largest length.
  public func bind(_ name: StaticString, utf8 bytes: [UInt8]) throws(SQLiteError) {
    try bind(name, bytes: bytes)
  }

  /// Binds the bytes of a text as another row may have them, UTF-8 or not; SQLite takes a copy.
  ///
  /// - Precondition: The SQL names the parameter, `:` included.
  /// - Throws: When SQLite has no memory for the copy or the text is over its largest length.
  public func bind(_ name: StaticString, bytes: [UInt8]) throws(SQLiteError) {
    try check(bytes.withUnsafeBufferPointer { bindText(name, $0) })
  }

  /// Goes to the next row.
  ///
  /// - Returns: True at a row, false at the end.
  /// - Throws: What stopped the statement; its row, if it writes, is not written.
  public func step() throws(SQLiteError) -> Bool {
    let code = sqlite3_step(handle)
    switch code {
    case SQLITE_ROW: return true
    case SQLITE_DONE: return false
    default: throw error(code)
    }
  }

  /// Steps through a statement that answers no rows, and resets it, also when it fails.
  public func run() throws(SQLiteError) {
    defer { reset() }
    while try step() {}
  }

  /// The number of the row that was last inserted on the statement's connection, triggers' rows aside.
  public var lastInsertedNumber: Int64 { sqlite3_last_insert_rowid(sqlite3_db_handle(handle)) }

  /// Ends the current run, so that the statement holds no lock and can be bound again.
  public func reset() {
    sqlite3_reset(handle)
  }

  /// Whether a column of the current row is NULL.
  public func isNull(_ column: Int32) -> Bool {
    sqlite3_column_type(handle, column) == SQLITE_NULL
  }

  /// An integer column of the current row; 0 for NULL.
  public func integer(_ column: Int32) -> Int64 {
    sqlite3_column_int64(handle, column)
  }

  /// A text column of the current row, byte for byte.
  ///
  /// - Returns: nil when the bytes are not valid UTF-8, which SQLite stores without a complaint.
  public func text(_ column: Int32) -> String? {
    guard let text = try? UTF8Span(validating: buffer(column).span) else { return nil }
    return String(copying: text)
  }

  /// The bytes of a text column of the current row.
  ///
  /// - Returns: nil when they are not valid UTF-8.
  public func utf8(_ column: Int32) -> [UInt8]? {
    let bytes = buffer(column)
    guard (try? UTF8Span(validating: bytes.span)) != nil else { return nil }
    return Array(bytes)
  }

  /// The bytes of a text column of the current row, UTF-8 or not.
  public func bytes(_ column: Int32) -> [UInt8] {
    Array(buffer(column))
  }

  /// Calls a function with the bytes of two text columns of the current row, which may not be UTF-8.
  public func withBytes<Value>(
    _ first: Int32, _ second: Int32, _ body: (Span<UInt8>, Span<UInt8>) -> Value
  ) -> Value {
    body(buffer(first).span, buffer(second).span)
  }

  /// A text column for a person's eyes: what is not UTF-8 is shown as U+FFFD.
  public func repairedText(_ column: Int32) -> String {
    String(decoding: buffer(column), as: UTF8.self)
  }

  /// What the statement has done since it was compiled
  /// (https://www.sqlite.org/c3ref/c_stmtstatus_counter.html).
  public var work: StatementWork {
    StatementWork(
      fullScanSteps: count(SQLITE_STMTSTATUS_FULLSCAN_STEP), sorts: count(SQLITE_STMTSTATUS_SORT),
      automaticIndexRows: count(SQLITE_STMTSTATUS_AUTOINDEX),
      instructions: count(SQLITE_STMTSTATUS_VM_STEP), runs: count(SQLITE_STMTSTATUS_RUN))
  }

  private func count(_ counter: Int32) -> Int {
    Int(sqlite3_stmt_status(handle, counter, 0))
  }

  // The buffer is SQLite's, and good until the next step, reset or conversion of this column.
  private func buffer(_ column: Int32) -> UnsafeBufferPointer<UInt8> {
    let start = sqlite3_column_text(handle, column)
    return UnsafeBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column)))
  }

  private func bindText(_ name: StaticString, _ bytes: UnsafeBufferPointer<UInt8>) -> Int32 {
    bytes.withMemoryRebound(to: CChar.self) { text in
      conversationd_bind_text(handle, index(of: name), text.baseAddress, UInt64(text.count))
    }
  }

  private func check(_ code: Int32) throws(SQLiteError) {
    guard code == SQLITE_OK else { throw error(code) }
  }

  private func index(of name: StaticString) -> Int32 {
    let index = name.withUTF8Buffer { bytes in
      bytes.withMemoryRebound(to: CChar.self) { text in
        sqlite3_bind_parameter_index(handle, text.baseAddress)
      }
    }
    precondition(index > 0, "no parameter \(name)")
    return index
  }

  private func error(_ code: Int32) -> SQLiteError {
    SQLiteError(code: code, database: sqlite3_db_handle(handle))
  }
}

/// How much a statement has done.
public struct StatementWork: Equatable, Sendable {
  /// Rows passed while a whole table was walked through.
  public var fullScanSteps = 0
  /// Sorts, each in a temporary b-tree.
  public var sorts = 0
  /// Rows put into an index that was made for one run.
  public var automaticIndexRows = 0
  /// Instructions of SQLite's virtual machine: a few for each row that was visited.
  public var instructions = 0
  /// Runs from the beginning; the first step after a reset begins one.
  public var runs = 0

  /// Nothing done.
  public init() {}

  init(fullScanSteps: Int, sorts: Int, automaticIndexRows: Int, instructions: Int, runs: Int) {
    self.fullScanSteps = fullScanSteps
    self.sorts = sorts
    self.automaticIndexRows = automaticIndexRows
    self.instructions = instructions
    self.runs = runs
  }

  /// The work of two statements.
  public static func + (left: StatementWork, right: StatementWork) -> StatementWork {
    StatementWork(
      fullScanSteps: left.fullScanSteps + right.fullScanSteps, sorts: left.sorts + right.sorts,
      automaticIndexRows: left.automaticIndexRows + right.automaticIndexRows,
      instructions: left.instructions + right.instructions, runs: left.runs + right.runs)
  }
}
