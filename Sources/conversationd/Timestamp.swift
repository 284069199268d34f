import Glibc

/// A time as people and programs read it: `2026-11-27T20:44:42Z` (RFC 3339, UTC).
struct Timestamp: CustomStringConvertible {
  let unixSeconds: Int64

  var description: String {
    var seconds = time_t(unixSeconds)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
      strftime(text.baseAddress!, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
      return String(cString: text.baseAddress!)
    }
  }
}
