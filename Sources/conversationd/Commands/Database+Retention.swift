import Conversations
import PostgreSQLStore
import Repository
import SQLiteStore

extension Database {
  /// Finds what the rules of retention would delete now.
  ///
  /// - Parameter whenFound: Called with a project and some of its conversations.
  /// - Returns: How many conversations each rule would delete.
  func findOld(
    _ rules: RetentionRules, _ settings: Settings,
    whenFound: @escaping @Sendable (NamedProject, [ListedConversation]) -> Void
  ) throws(Failure) -> [Int] {
    switch self {
    case .sqlite(let path):
      let source: SQLiteReading
      do {
        source = try SQLiteReading(
          path: path, busyTimeoutMilliseconds: settings.sqlite.busyTimeoutMilliseconds)
      } catch {
        throw Failure(error, database: path)
      }
      return try find(rules, in: source, whenFound)
    case .postgreSQL(let url):
      let store: PostgreSQLStore
      do {
        store = try PostgreSQLStore(toRead: url)
      } catch {
        throw Failure(error, database: "\(url)")
      }
      defer { waitFor { await store.close() } }
      return try find(rules, in: store, whenFound)
    }
  }

  private func find(
    _ rules: RetentionRules, in source: any ConversationSource,
    _ whenFound: @escaping @Sendable (NamedProject, [ListedConversation]) -> Void
  ) throws(Failure) -> [Int] {
    let result = waitFor { () -> Result<[Int], RepositoryError> in
      var counts = rules.deletions.map { _ in 0 }
      do throws(RepositoryError) {
        try await Retention(rules).find(in: source) { rule, project, found in
          counts[rule] += found.count
          whenFound(project, found)
        }
        return .success(counts)
      } catch {
        return .failure(error)
      }
    }
    do {
      return try result.get()
    } catch {
      throw Failure(error.isDamage ? .data : .unavailable, "database '\(self)': \(error)")
    }
  }
}
