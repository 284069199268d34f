internal import HTTP
internal import HTTPTypes
internal import Synchronization

/// How many requests a key may send: a bucket of a minute's requests for each, which fills up again
/// steadily.
final class RateLimit: Sendable {
  private static let period = Duration.seconds(60)

  private let state = Mutex(State())

  private struct State {
    /// The latest of all, so that time does not go back from one request to the next.
    var now: ContinuousClock.Instant?
    /// When each bucket will be full: unlike a number of requests left, that is exact.
    var fullAt: [Int64: ContinuousClock.Instant] = [:]
  }

  /// What a key may still send.
  struct Allowance: Equatable, Sendable {
    let limit: Int
    let remaining: Int
    /// Until `remaining` is `limit` again.
    let reset: Duration
    /// Until the next request; nil when this one is allowed.
    let retryAfter: Duration?
  }

  /// Takes one request out of the bucket of a key.
  ///
  /// - Parameter perMinute: How many it may send; at least 1. With another number than before, the
  ///   bucket is as full as it was.
  func take(key number: Int64, perMinute: Int, now: ContinuousClock.Instant) -> Allowance {
    // In which one request comes back.
    let interval = Self.period / perMinute
    return state.withLock { state in
      let now = max(now, state.now ?? now)
      state.now = now
      let before = max(now, state.fullAt[number] ?? now)
      let wait = before + interval - now - Self.period
      let isAllowed = wait <= .zero
      let fullAt = isAllowed ? before + interval : before
      state.fullAt[number] = fullAt
      let left = Self.period - (fullAt - now)
      return Allowance(
        limit: perMinute, remaining: Int(left.attoseconds / interval.attoseconds),
        reset: fullAt - now, retryAfter: isAllowed ? nil : wait)
    }
  }
}

extension RateLimit.Allowance {
  /// As OpenAI's service tells it.
  var headers: HeaderFields {
    [
      .rateLimitRequests: String(limit), .rateLimitRemaining: String(remaining),
      .rateLimitReset: reset.shown,
    ]
  }
}

extension Duration {
  /// `120ms`, `1s`, `6m0s`: rounded up.
  var shown: String {
    if milliseconds < 1000 { return "\(milliseconds)ms" }
    let seconds = (milliseconds + 999) / 1000
    return seconds < 60 ? "\(seconds)s" : "\(seconds / 60)m\(seconds % 60)s"
  }

  /// Whole milliseconds, rounded up.
  var milliseconds: Int {
    let unit = Duration.milliseconds(1).attoseconds
    return Int((attoseconds + unit - 1) / unit)
  }
}
