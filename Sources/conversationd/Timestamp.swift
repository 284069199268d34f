import Glibc

/// A time as people and programs read it: `2026-11-27T20:44:42Z` (RFC 3339, UTC).
struct Timestamp: CustomStringConvertible {
  let unixSeconds: Int64
  /// Shown with three digits; nil shows whole seconds.
  private let milliseconds: Int?

  init(unixSeconds: Int64) {
    self.unixSeconds = unixSeconds
    milliseconds = nil
  }

  private init(_ time: timespec) {
    unixSeconds = Int64(time.tv_sec)
    milliseconds = time.tv_nsec / 1_000_000
  }

  /// Reads a date, a time of the form that is shown, or Unix seconds.
  ///
  /// - Returns: Unix seconds; nil for anything else.
  static func seconds(_ text: String) -> Int64? {
    if let seconds = Int64(text), seconds >= 0 { return seconds }
    let form = /(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)Z)?/
    guard let match = text.wholeMatch(of: form)?.output else { return nil }
    func number(_ digits: Substring?) -> Int32 { digits.flatMap { Int32($0) } ?? 0 }
    var parts = tm()
    parts.tm_year = number(match.1) - 1900
    parts.tm_mon = number(match.2) - 1
    parts.tm_mday = number(match.3)
    (parts.tm_hour, parts.tm_min) = (number(match.4), number(match.5))
    parts.tm_sec = number(match.6)
    let seconds = Int64(timegm(&parts))
    // What there is not, such as 31 April, becomes another time.
    let shown = Timestamp(unixSeconds: seconds).description
    return shown.hasPrefix(text.dropLast(match.4 == nil ? 0 : 1)) ? seconds : nil
  }

  /// The time of the call, with milliseconds.
  static var now: Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(time)
  }

  var description: String {
    var seconds = time_t(unixSeconds)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    let fraction = milliseconds.map { ".\(String(1000 + $0).dropFirst())" } ?? ""
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
      strftime(text.baseAddress!, text.count, "%Y-%m-%dT%H:%M:%S", &parts)
      return "\(String(cString: text.baseAddress!))\(fraction)Z"
    }
  }
}
