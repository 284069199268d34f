import Foundation
import JSON
import Logging

extension Logger {
  /// The program's log, on standard error.
  init(_ settings: Settings) {
    self.init(label: "conversationd") { label -> any LogHandler in
      if settings.logsJSON { return JSONLogHandler() }
      return StreamLogHandler.standardError(label: label)
    }
    logLevel = settings.logLevel
  }
}

/// Writes each event as one line of JSON: `time`, `level`, `message`, then the metadata.
struct JSONLogHandler: LogHandler {
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var json = JSONWriter()
    json.raw(#"{"time":"#)
    json.string(Date().ISO8601Format(.init(includingFractionalSeconds: true)))
    json.raw(#","level":"#)
    json.string(event.level.rawValue)
    json.raw(#","message":"#)
    json.string(event.message.description)
    let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
    for (key, value) in all.sorted(by: { $0.key < $1.key }) {
      json.raw(",")
      json.string(key)
      json.raw(":")
      json.string(value.description)
    }
    json.raw("}\n")
    // One call for one line: lines of several threads do not mix.
    try? FileHandle.standardError.write(contentsOf: Data(json.bytes))
  }
}
