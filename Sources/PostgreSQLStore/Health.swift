internal import Repository
internal import Synchronization

/// What the latest reads and writes tell of the server, for `/readyz`.
final class Health: Sendable {
  /// What is told apart.
  enum Work: Int {
    case reading
    case writing
  }

  private struct Outcome {
    var time = ContinuousClock.now
    var error: RepositoryError?
  }

  private let outcomes = Mutex<[Outcome]>([Outcome(), Outcome()])

  /// How old knowledge may be before somebody asks the server.
  static let ageMax = Duration.seconds(1)

  func succeeded(_ work: Work) {
    outcomes.withLock { $0[work.rawValue] = Outcome() }
  }

  func failed(_ work: Work, _ error: RepositoryError) {
    outcomes.withLock { $0[work.rawValue] = Outcome(error: error) }
  }

  /// The error of the latest work, if it failed, and whether it is worth asking the server again.
  func latest(_ work: Work) -> (error: RepositoryError?, isOld: Bool) {
    outcomes.withLock { outcomes in
      let outcome = outcomes[work.rawValue]
      return (outcome.error, .now - outcome.time > Self.ageMax)
    }
  }
}
