import API
import Conversations
import Logging
import Repository

/// Deletes what the rules of retention say, again and again, while a server runs.
struct RetentionService: Sendable {
  /// How often a round that takes long says how far it is.
  private static let tellingInterval = Duration.seconds(60)

  let repository: any Store
  let metrics: Metrics
  let logger: Logger

  /// Runs until it is cancelled.
  ///
  /// - Parameters:
  ///   - changes: Each ends the round that runs, and begins another by the new settings.
  ///   - settings: What counts now.
  func run(restartingAt changes: AsyncStream<Void>, _ settings: @Sendable () -> Settings) async {
    var rounds = start(settings())
    for await _ in changes {
      rounds.cancel()
      await rounds.value
      rounds = start(settings())
    }
    rounds.cancel()
    await rounds.value
  }

  private func start(_ settings: Settings) -> Task<Void, Never> {
    Task {
      while !Task.isCancelled {
        await deleteOld(settings.retention)
        try? await Task.sleep(for: .seconds(settings.retentionIntervalSeconds))
      }
    }
  }

  private func deleteOld(_ rules: RetentionRules) async {
    var counts = rules.deletions.map { _ in 0 }
    var toldAt = ContinuousClock.now
    do {
      let retention = Retention(rules)
      for rule in try await retention.rulesWithoutProject(in: repository) {
        logger.warning(
          "a rule of retention names a project that does not exist", metadata: ["rule": "\(rule)"])
      }
      try await retention.run(on: repository) { rule, count in
        counts[rule] += count
        metrics.retentionDeleted(count)
        guard .now >= toldAt + Self.tellingInterval else { return }
        toldAt = .now
        tell(&counts, of: rules)
      }
    } catch {
      // Not of a round that was ended.
      if !Task.isCancelled {
        logger.warning(
          "retention did not delete all that is old, and tries again in the next round",
          metadata: ["cause": "\(error)"])
      }
    }
    tell(&counts, of: rules)
  }

  /// Logs how many were deleted since the last time.
  private func tell(_ counts: inout [Int], of rules: RetentionRules) {
    for (rule, count) in zip(rules.deletions, counts) where count > 0 {
      logger.notice(
        "retention deleted conversations",
        metadata: ["rule": "\(rule)", "deleted": .stringConvertible(count)])
    }
    counts = counts.map { _ in 0 }
  }
}
