import Synchronization

/// A clock that a test sets.
public final class TestClock: Sendable {
  private let current: Atomic<Int64>

  /// - Parameter seconds: Unix seconds.
  public init(_ seconds: Int64 = 1_700_000_000) {
    current = Atomic(seconds)
  }

  /// Unix seconds.
  public var seconds: Int64 {
    get { current.load(ordering: .relaxed) }
    set { current.store(newValue, ordering: .relaxed) }
  }
}
