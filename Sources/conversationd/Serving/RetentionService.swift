import API
import Conversations
import Logging
import Repository

/// Deletes what the rules of retention say, again and again, while a server runs.
struct RetentionService: Sendable {
  let repository: any Store
  let metrics: Metrics
  let logger: Logger

  /// Runs until it is cancelled.
  ///
  /// - Parameter settings: Asked before each round, since SIGHUP may change them.
  func run(_ settings: () -> Settings) async {
    while !Task.isCancelled {
      let settings = settings()
      await deleteOld(settings.retention)
      do {
        try await Task.sleep(for: .seconds(settings.retentionIntervalSeconds))
      } catch {
        return
      }
    }
  }

  private func deleteOld(_ rules: RetentionRules) async {
    var counts = rules.deletions.map { _ in 0 }
    do {
      try await Retention(rules).run(on: repository) { rule, count in
        counts[rule] += count
        metrics.retentionDeleted(count)
      }
    } catch {
      // Not of a server that ends.
      if !Task.isCancelled {
        logger.warning(
          "retention did not come to its end, and goes on in the next round",
          metadata: ["cause": "\(error)"])
      }
    }
    for (rule, count) in zip(rules.deletions, counts) where count > 0 {
      logger.notice(
        "retention deleted conversations",
        metadata: ["rule": "\(rule)", "deleted": .stringConvertible(count)])
    }
  }
}
