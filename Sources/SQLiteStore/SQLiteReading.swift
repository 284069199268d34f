public import Conversations
public import Repository

/// Queries of a database file for a command, beside a server that may have it open.
public final class SQLiteReading: ConversationSource {
  private let queries: QueryPool

  /// Opens a file that is migrated.
  ///
  /// - Parameter timeout: How long a query may take.
  /// - Throws: Why the file cannot be used; `.cannotOpen` with `ENOENT` when there is none,
  ///   `.notMigrated`.
  public init(
    path: String, busyTimeoutMilliseconds: Int = 5000, timeout: Duration = .seconds(600)
  ) throws(DatabaseError) {
    _ = try DatabaseFile.openMigrated(
      path, busyTimeoutMilliseconds: busyTimeoutMilliseconds, isReadOnly: true)
    queries = QueryPool(
      path: try DatabaseFile.absolute(path), busyTimeoutMilliseconds: busyTimeoutMilliseconds,
      threads: 1, timeout: timeout)
  }

  deinit {
    queries.close()
  }

  /// All projects, by their numbers.
  public func projects() async throws(RepositoryError) -> [NamedProject] {
    try await queries.projects()
  }

  /// Reads a page of the conversations that a query asks for, as of one moment.
  ///
  /// - Parameter timeout: How long it may take, at most; nil for what the settings say.
  /// - Throws: `.cursorNotFound`, `.queryTimeout`, also when the task is cancelled.
  public func conversations(
    _ query: ConversationQuery, in project: ProjectID, within timeout: Duration?
  ) async throws(RepositoryError) -> ConversationPage {
    try await queries.run(within: timeout) { reader, isOver throws(RepositoryError) in
      try reader.page(query, in: project, isOver: isOver)
    }
  }
}
