internal import Synchronization

/// When API keys were last used, until that is written down: many uses make one write.
final class KeyUses: Sendable {
  private let times = Mutex<[Int64: Int64]>([:])

  /// A key was used.
  ///
  /// - Parameter now: Unix seconds.
  func note(key number: Int64, now: Int64) {
    times.withLock { $0[number] = now }
  }

  /// Takes what was noted.
  ///
  /// - Returns: The last use by the number of the key.
  func take() -> [Int64: Int64] {
    times.withLock { times in
      defer { times = [:] }
      return times
    }
  }

  /// Gives back what could not be written; what was noted since counts.
  func giveBack(_ older: [Int64: Int64]) {
    times.withLock { $0.merge(older) { newer, _ in newer } }
  }
}
