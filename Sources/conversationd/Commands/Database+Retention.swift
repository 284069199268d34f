import Conversations
import PostgreSQLStore
import Repository
import SQLiteStore

extension Database {
  /// What the rules of retention would do now.
  struct RetentionPreview: Sendable {
    /// How many conversations each rule would delete.
    var deletions: [Int]
    /// How many conversations that would be deleted otherwise each rule keeps.
    var keeps: [Int]
    /// The rules that name a project that does not exist.
    var withoutProject: [RetentionRule] = []
  }

  /// Finds what the rules of retention would delete now.
  ///
  /// - Parameter whenFound: Called with a project and some of its conversations.
  func findOld(
    _ rules: RetentionRules, _ settings: Settings,
    whenFound: @escaping @Sendable (NamedProject, [ListedConversation]) -> Void
  ) throws(Failure) -> RetentionPreview {
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
  ) throws(Failure) -> RetentionPreview {
    let result = waitFor { () -> Result<RetentionPreview, RepositoryError> in
      var preview = RetentionPreview(
        deletions: rules.deletions.map { _ in 0 }, keeps: rules.keeps.map { _ in 0 })
      do throws(RepositoryError) {
        let retention = Retention(rules)
        preview.withoutProject = try await retention.rulesWithoutProject(in: source)
        try await retention.find(in: source, whenKept: { preview.keeps[$0] += 1 }) {
          rule, project, found in
          preview.deletions[rule] += found.count
          whenFound(project, found)
        }
        return .success(preview)
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
