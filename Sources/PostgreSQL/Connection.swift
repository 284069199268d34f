import CPostgreSQL
import Glibc

/// One connection to a PostgreSQL server, used by one thread at a time, which waits in poll(2).
///
/// Statements go out many at a time, in libpq's pipeline mode
/// (https://www.postgresql.org/docs/current/libpq-pipeline-mode.html): one round trip for all.
public struct Connection: ~Copyable {
  private let functions: conversationd_libpq
  private let handle: OpaquePointer
  private let notices: Notices
  private var isPipelined: Bool

  /// What a connection is used with unless the URL says something else: a server that is gone is
  /// noticed within seconds, and one that takes no writes is not used.
  private static let defaults = [
    ("fallback_application_name", "conversationd"), ("connect_timeout", "5"),
    ("keepalives_idle", "5"), ("keepalives_interval", "2"), ("keepalives_count", "3"),
    ("tcp_user_timeout", "5000"), ("target_session_attrs", "read-write"),
  ]

  /// Connects, which blocks for `connect_timeout` at most for each address of the URL.
  ///
  /// - Throws: `.connection` with libpq's words, which never have the password.
  public init(_ url: DatabaseURL) throws(PostgreSQLError) {
    let library: Library
    do {
      library = try Library.load()
    } catch {
      throw PostgreSQLError(sqlState: nil, message: error.description, isConnectionLost: true)
    }
    let functions = library.functions
    let set = Set(url.options.map(\.keyword))
    let options =
      Self.defaults.filter { !set.contains($0.0) } + url.options.map { ($0.keyword, $0.value) }
      + [("client_encoding", "UTF8")]
    let handle = Self.connect(options, functions)
    guard functions.PQstatus(handle) == Int32(PQ_CONNECTION_OK) else {
      let words = Self.words(functions.PQerrorMessage(handle))
      functions.PQfinish(handle)
      throw PostgreSQLError(sqlState: nil, message: words, isConnectionLost: true)
    }
    let notices = Notices(functions)
    // Without a receiver of ours, libpq writes notices to standard error. Not retained: it is called
    // while the connection is used, and that owns it.
    _ = functions.PQsetNoticeReceiver(
      handle,
      { notices, notice in
        Unmanaged<Notices>.fromOpaque(notices!).takeUnretainedValue().received(notice!)
      }, Unmanaged.passUnretained(notices).toOpaque())
    _ = functions.PQsetnonblocking(handle, 1)
    self.functions = functions
    self.handle = handle
    self.notices = notices
    isPipelined = false
  }

  deinit {
    functions.PQfinish(handle)
  }

  /// A setting that the server reports by itself, such as `server_encoding`.
  public func parameter(_ name: String) -> String? {
    functions.PQparameterStatus(handle, name).map { String(cString: $0) }
  }

  /// The server's version: 150008 for 15.8.
  public var serverVersion: Int { Int(functions.PQserverVersion(handle)) }

  /// Runs statements that have no parameters, and drops their rows: all of them in one transaction,
  /// unless one is open, or they begin and end their own. Waits for as long as they take.
  ///
  /// - Throws: The first error; the connection is usable unless it is lost.
  public mutating func execute(_ sql: String) throws(PostgreSQLError) {
    if isPipelined, functions.PQexitPipelineMode(handle) == 0 { throw lost() }
    isPipelined = false
    guard let result = functions.PQexec(handle, sql) else { throw lost() }
    defer { functions.PQclear(result) }
    switch functions.PQresultStatus(result) {
    case Int32(PQ_COMMAND_OK), Int32(PQ_TUPLES_OK): return
    default: throw error(of: result)
    }
  }

  /// Prepares statements, in one round trip.
  public mutating func prepare(
    _ statements: [Statement], within timeout: Duration = .seconds(30)
  ) throws(PostgreSQLError) {
    try enterPipeline()
    for statement in statements {
      guard functions.PQsendPrepare(handle, statement.name, statement.sql, 0, nil) == 1 else {
        throw lost()
      }
    }
    _ = try results(of: statements.count, deadline: .now + timeout)
  }

  /// Sends statements together and waits for all of their results. What they do outside of an
  /// explicit transaction is one transaction.
  ///
  /// - Parameter timeout: After which the server counts as gone, and the connection as lost.
  /// - Returns: A result for each, in their order.
  /// - Throws: The first error; the server skips the statements behind it. A transaction that was begun
  ///   explicitly is still open then, and takes nothing but its end.
  public mutating func run(
    _ calls: [Call], within timeout: Duration
  ) throws(PostgreSQLError) -> [Rows] {
    try enterPipeline()
    for call in calls { try send(call) }
    return try results(of: calls.count, deadline: .now + timeout)
  }

  // MARK: Pipeline

  private mutating func enterPipeline() throws(PostgreSQLError) {
    guard !isPipelined else { return }
    guard functions.PQenterPipelineMode(handle) == 1 else { throw lost() }
    isPipelined = true
  }

  private func send(_ call: Call) throws(PostgreSQLError) {
    let parameters = call.parameters
    guard parameters.bytes.count <= Self.parametersBytesMax else {
      // What was sent before it cannot be taken back.
      throw PostgreSQLError(
        sqlState: nil, message: "the parameters of a statement are too large",
        isConnectionLost: true)
    }
    let count = parameters.ends.count
    let code = parameters.bytes.withUnsafeBufferPointer { bytes in
      bytes.withMemoryRebound(to: CChar.self) { bytes in
        var pointers: [UnsafePointer<CChar>?] = []
        var lengths: [Int32] = []
        var start = 0
        for end in parameters.ends {
          // An empty value needs an address all the same: NULL is no value.
          pointers.append(end == nil ? nil : bytes.baseAddress.map { $0 + start } ?? Self.nothing)
          lengths.append(end.map { Int32($0 - start) } ?? 0)
          start = end ?? start
        }
        let formats = [Int32](repeating: 1, count: count)
        let (name, sql) = (call.statement.name, call.statement.sql)
        return name.isEmpty
          ? functions.PQsendQueryParams(
            handle, sql, Int32(count), nil, pointers, lengths, formats, 1)
          : functions.PQsendQueryPrepared(
            handle, name, Int32(count), pointers, lengths, formats, 1)
      }
    }
    guard code == 1 else { throw lost() }
  }

  /// PostgreSQL takes messages of 1 GiB at most.
  private static let parametersBytesMax = 1_000_000_000

  /// The address of an empty text. Never freed, and never written to, so threads may share it.
  private nonisolated(unsafe) static let nothing = UnsafePointer(strdup("")!)

  private func results(
    of count: Int, deadline: ContinuousClock.Instant
  ) throws(PostgreSQLError) -> [Rows] {
    guard functions.PQpipelineSync(handle) == 1 else { throw lost() }
    var results: [Rows] = []
    results.reserveCapacity(count)
    var firstError: PostgreSQLError?
    while true {
      let warningCount = notices.warningCount
      try wait(until: deadline)
      guard let result = functions.PQgetResult(handle) else {
        // Between the results of two statements; for ever once the connection is gone.
        if functions.PQstatus(handle) != Int32(PQ_CONNECTION_OK) { throw firstError ?? lost() }
        continue
      }
      switch functions.PQresultStatus(result) {
      case Int32(PQ_PIPELINE_SYNC):
        functions.PQclear(result)
        if let firstError { throw firstError }
        return results
      case Int32(PQ_COMMAND_OK), Int32(PQ_TUPLES_OK):
        let hasWarning = notices.warningCount != warningCount
        results.append(Rows(result, functions, hasWarning: hasWarning))
      case Int32(PQ_PIPELINE_ABORTED):
        functions.PQclear(result)
      default:
        let error = error(of: result)
        functions.PQclear(result)
        if error.isConnectionLost { throw error }
        firstError = firstError ?? error
      }
    }
  }

  /// Waits until a result is there, sending what is not sent yet.
  private func wait(until deadline: ContinuousClock.Instant) throws(PostgreSQLError) {
    while functions.PQisBusy(handle) == 1 {
      let unsent = functions.PQflush(handle)
      guard unsent >= 0 else { throw lost() }
      let left = ContinuousClock.now.duration(to: deadline)
      guard left > .zero else {
        throw PostgreSQLError(
          sqlState: nil, message: "the server did not answer in time", isConnectionLost: true)
      }
      var descriptor = pollfd(
        fd: functions.PQsocket(handle), events: Int16(unsent > 0 ? POLLIN | POLLOUT : POLLIN),
        revents: 0)
      // Rounded up, or the last millisecond would be spent asking.
      _ = poll(&descriptor, 1, Int32(clamping: Int(left / .milliseconds(1)) + 1))
      guard functions.PQconsumeInput(handle) == 1 else { throw lost() }
    }
  }

  // MARK: Errors

  private func error(of result: OpaquePointer) -> PostgreSQLError {
    func field(_ code: Unicode.Scalar) -> String? {
      functions.PQresultErrorField(result, Int32(code.value)).map { String(cString: $0) }
    }
    let isLost = functions.PQstatus(handle) != Int32(PQ_CONNECTION_OK)
    // libpq makes results of its own, too, which have no fields.
    return PostgreSQLError(
      sqlState: field("C"), message: field("M") ?? Self.words(functions.PQerrorMessage(handle)),
      constraint: field("n"), isConnectionLost: isLost)
  }

  private func lost() -> PostgreSQLError {
    PostgreSQLError(
      sqlState: nil, message: Self.words(functions.PQerrorMessage(handle)), isConnectionLost: true)
  }

  /// libpq's words in one line.
  private static func words(_ text: UnsafePointer<CChar>?) -> String {
    guard let text else { return "no memory" }
    return String(cString: text).split(whereSeparator: \.isNewline).joined(separator: "; ")
  }

  private static func connect(
    _ options: [(String, String)], _ functions: conversationd_libpq
  ) -> OpaquePointer {
    let keywords = options.map { strdup($0.0) }
    let values = options.map { strdup($0.1) }
    defer { for text in keywords + values { free(text) } }
    let handle = functions.PQconnectdbParams(
      keywords.map { UnsafePointer($0) } + [nil], values.map { UnsafePointer($0) } + [nil], 0)
    guard let handle else { preconditionFailure("no memory for a connection") }
    return handle
  }
}

/// Counts the warnings of a connection. Their words may quote values, so nobody keeps them.
private final class Notices {
  private let functions: conversationd_libpq
  private(set) var warningCount = 0

  init(_ functions: conversationd_libpq) {
    self.functions = functions
  }

  func received(_ notice: OpaquePointer) {
    // The severity that is never translated; the others are NOTICE, INFO, LOG and DEBUG.
    let severity = functions.PQresultErrorField(notice, Int32(UInt8(ascii: "V")))
    if severity.map({ String(cString: $0) }) == "WARNING" { warningCount += 1 }
  }
}
