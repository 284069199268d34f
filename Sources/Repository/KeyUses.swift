internal import Synchronization

/// When API keys were last used, until that is written down: many uses make one write.
public final class KeyUses: Sendable {
  private let times = Mutex<[Int64: Int64]>([:])
  /// What was noted last, the key above the second: most requests would note that again.
  private let last = Atomic<Int64>(0)

  /// Nothing was used yet.
  public init() {}

  /// A key was used.
  ///
  /// - Parameter now: Unix seconds.
  public func note(key number: Int64, now: Int64) {
    let use = number << 32 | now & 0xffff_ffff
    guard last.load(ordering: .relaxed) != use else { return }
    times.withLock { times in
      times[number] = now
      last.store(use, ordering: .relaxed)
    }
  }

  /// Takes what was noted.
  ///
  /// - Returns: The last use by the number of the key.
  public func take() -> [Int64: Int64] {
    times.withLock { times in
      last.store(0, ordering: .relaxed)
      defer { times = [:] }
      return times
    }
  }

  /// Gives back what could not be written; what was noted since counts.
  public func giveBack(_ older: [Int64: Int64]) {
    times.withLock { $0.merge(older) { newer, _ in newer } }
  }
}
