import Glibc
import Logging
import Synchronization

/// The program's log, on standard error.
struct Log {
  private let format: LogLine.Format
  private let queue: LogQueue
  /// What the rooms below write to.
  let logger: Logger
  /// How much all loggers that come of it write.
  let level: LogLevel

  /// - Parameter whenDropped: Counts lines that found no room.
  init(_ settings: Settings, whenDropped: @escaping @Sendable (_ count: Int) -> Void) {
    let format = LogLine.Format(
      isJSON: settings.logsJSON, hasPriority: Self.isJournal(STDERR_FILENO))
    let queue = LogQueue(
      to: STDERR_FILENO,
      lineAboutDropped: { count in
        var line = LogLine(
          format, .warning, "the log was not read in time, lines were dropped", time: .now)
        line.append("lines", .stringConvertible(count))
        return line.ended()
      },
      whenDropped: whenDropped)
    self.format = format
    self.queue = queue
    let level = LogLevel(settings.logLevel)
    self.level = level
    logger = Logger(label: "conversationd") { _ in
      LineLogHandler(format: format, queue: queue, level: level)
    }
  }

  /// Writes why the program ends, as commands do, and waits a while for the reader.
  func end(with failure: Failure? = nil) {
    if let failure {
      queue.append(Array("\(format.hasPriority ? "<\(LOG_ERR)>" : "")Error: \(failure)\n".utf8))
    }
    queue.flush()
  }

  /// Whether systemd's journal reads a descriptor (systemd.exec(5), `JOURNAL_STREAM`).
  private static func isJournal(_ descriptor: Int32) -> Bool {
    var status = stat()
    guard let stream = getenv("JOURNAL_STREAM"), fstat(descriptor, &status) == 0 else {
      return false
    }
    return String(cString: stream) == "\(status.st_dev):\(status.st_ino)"
  }
}

/// The least level of what is written, which may change while others write.
final class LogLevel: Sendable {
  /// Of `Logger.Level.allCases`, which are in the order of their severity.
  private let index: Atomic<Int>

  init(_ level: Logger.Level) {
    index = Atomic(Self.index(of: level))
  }

  var value: Logger.Level {
    get { Logger.Level.allCases[index.load(ordering: .relaxed)] }
    set { index.store(Self.index(of: newValue), ordering: .relaxed) }
  }

  private static func index(of level: Logger.Level) -> Int {
    Logger.Level.allCases.firstIndex(of: level)!
  }
}

/// Makes a line of each event and queues it.
private struct LineLogHandler: LogHandler {
  let format: LogLine.Format
  let queue: LogQueue
  let level: LogLevel
  var metadata: Logger.Metadata = [:]

  /// One for all loggers, since it is that of the program's log.
  var logLevel: Logger.Level {
    get { level.value }
    set { level.value = newValue }
  }

  /// The fields of a request, in the order in which people look for them; others follow by name.
  private static let order = [
    "method", "path", "status", "address", "key", "project", "bytes_in", "bytes_out",
    "milliseconds", "code", "request_id", "client_request_id", "traceparent", "user_agent",
  ]
  private static let places = Dictionary(
    uniqueKeysWithValues: order.enumerated().map { ($0.element, $0.offset) })

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var line = LogLine(format, event.level, event.message.description, time: .now)
    var fields: [(place: Int, name: String, value: Logger.MetadataValue)] = []
    for (name, value) in event.metadata ?? [:] {
      fields.append((Self.places[name] ?? Self.order.count, name, value))
    }
    for (name, value) in metadata where event.metadata?[name] == nil {
      fields.append((Self.places[name] ?? Self.order.count, name, value))
    }
    fields.sort { ($0.place, $0.name) < ($1.place, $1.name) }
    for field in fields { line.append(field.name, field.value) }
    queue.append(line.ended())
  }
}
