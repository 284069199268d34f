internal import Synchronization

/// Whether the server is about to stop: it still answers everything, but `/readyz` says 503, so that a
/// load balancer sends its clients elsewhere.
public final class Drain: Sendable {
  private let began = Atomic(false)

  /// It is not about to stop.
  public init() {}

  /// From now on `/readyz` is answered 503.
  public func begin() {
    began.store(true, ordering: .relaxed)
  }

  var hasBegun: Bool { began.load(ordering: .relaxed) }
}
