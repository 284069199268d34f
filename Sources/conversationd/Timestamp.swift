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
