import Glibc
import JSON
import Logging

/// One event as one line of text, of bounded length.
struct LogLine {
  /// How long a line may be, with its line feed; a pipe takes so much in one piece.
  static let bytesMax = Int(PIPE_BUF)
  /// How much of the message is shown.
  private static let messageBytesMax = 512
  /// How much of one value is shown.
  private static let valueBytesMax = 1024
  private static let cutMark = "..."

  /// How lines are written.
  struct Format: Sendable {
    /// An object of JSON, rather than logfmt (https://brandur.org/logfmt).
    var isJSON = false
    /// Whether each line begins with its priority as systemd reads it (sd-daemon(3)).
    var hasPriority = false
  }

  private let format: Format
  private var bytes: [UInt8] = []
  private var hasFields = false

  /// - Parameter time: When it happened.
  init(_ format: Format, _ level: Logger.Level, _ message: String, time: Timestamp) {
    self.format = format
    bytes.reserveCapacity(512)
    if format.hasPriority { text("<\(level.priority)>") }
    if format.isJSON { text("{") }
    add("time", .string(time.description))
    add("level", .string(level.rawValue))
    add("message", .string(message.cut(to: Self.messageBytesMax, mark: Self.cutMark)))
  }

  /// Adds a field, unless the line would become too long.
  mutating func append(_ name: String, _ value: Logger.MetadataValue) {
    let before = bytes.count
    add(name, value)
    // Two for its end.
    if bytes.count + 2 > Self.bytesMax { bytes.removeSubrange(before...) }
  }

  /// The whole line.
  consuming func ended() -> [UInt8] {
    text(format.isJSON ? "}\n" : "\n")
    return bytes
  }

  private mutating func add(_ name: String, _ value: Logger.MetadataValue) {
    if hasFields { text(format.isJSON ? "," : " ") }
    hasFields = true
    if format.isJSON {
      quoted(name)
      text(":")
    } else {
      text(name)
      text("=")
    }
    switch value {
    case .stringConvertible(let number as Int): text(String(number))
    case .stringConvertible(let number as Int64): text(String(number))
    case .stringConvertible(let number as Double): text("\(number)")
    default: string(value.description.cut(to: Self.valueBytesMax, mark: Self.cutMark))
    }
  }

  private mutating func string(_ value: String) {
    if format.isJSON || value.isEmpty || value.utf8.contains(where: Self.mustQuote) {
      quoted(value)
    } else {
      text(value)
    }
  }

  private static func mustQuote(_ byte: UInt8) -> Bool {
    byte <= 0x20 || byte == 0x7f || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "=")
  }

  private mutating func quoted(_ value: String) {
    var json = JSONWriter(capacity: value.utf8.count + 2)
    json.string(value)
    bytes += json.bytes
  }

  private mutating func text(_ text: String) {
    bytes.append(contentsOf: text.utf8)
  }
}

extension Logger.Level {
  /// The number that syslog has for it (syslog(3)).
  fileprivate var priority: Int32 {
    switch self {
    case .trace, .debug: LOG_DEBUG
    case .info: LOG_INFO
    case .notice: LOG_NOTICE
    case .warning: LOG_WARNING
    case .error: LOG_ERR
    case .critical: LOG_CRIT
    }
  }
}

extension String {
  /// The beginning, if it is longer than that, and a mark that something is missing.
  fileprivate func cut(to bytesMax: Int, mark: String) -> String {
    guard utf8.count > bytesMax else { return self }
    return String(decoding: utf8.prefix(bytesMax - mark.utf8.count), as: UTF8.self) + mark
  }
}
