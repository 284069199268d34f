internal import Glibc

/// The system's wall clock.
public enum UnixTime {
  /// In seconds.
  public static func seconds() -> Int64 { Int64(time(nil)) }

  /// The day of a time in UTC, as in `2026-11-28`.
  public static func day(of seconds: Int64) -> String {
    var seconds = time_t(seconds)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
      strftime(text.baseAddress!, text.count, "%Y-%m-%d", &parts)
      return String(cString: text.baseAddress!)
    }
  }

  /// In microseconds.
  public static func microseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
  }
}
