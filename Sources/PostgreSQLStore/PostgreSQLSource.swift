public import Conversations
public import PostgreSQL
public import Repository

/// A PostgreSQL database that a command reads, beside its servers.
public final class PostgreSQLSource: ExportSource {
  let session: QuerySession

  /// How long a statement may take, and the command.
  private static let statementMilliseconds = 3_600_000
  private static let deadline = Duration.seconds(30 * 86_400)

  /// - Throws: Why the database cannot be used; `.notMigrated`.
  public init(url: DatabaseURL) throws(PostgreSQLStoreError) {
    let connection = LaneConnection(
      .querying(url, timeoutMilliseconds: Self.statementMilliseconds), counters: Counters())
    try connection.open(until: .now)
    session = QuerySession(connection, deadline: .now + Self.deadline)
  }

  /// Finds a project; nil when there is none of this name.
  public func project(named name: String) throws(RepositoryError) -> ProjectID? {
    // No name has U+0000, and PostgreSQL takes no such text.
    guard !name.utf8.contains(0) else { return nil }
    let rows = try session.run([
      .once("SELECT number FROM projects WHERE name = $1::text") { $0.add(name) }
    ])[0]
    return rows.count == 1 ? ProjectID(number: rows.int64(0, 0)) : nil
  }

  /// The newest conversation that a project has now; nil when it has none.
  public func newestID(in project: ProjectID) throws(RepositoryError) -> ConversationID? {
    let rows = try session.run([
      .once(
        """
        SELECT id FROM conversations WHERE project = $1::bigint ORDER BY id DESC LIMIT 1
        """
      ) { $0.add(project.number) }
    ])[0]
    return rows.count == 1 ? ConversationID(bytes: rows.bytes(0, 0)) : nil
  }

  /// Reads a page of an export, as of one moment.
  public func exportPage(
    _ query: ConversationQuery, from place: ExportPlace?, in project: ProjectID, bytesMax: Int
  ) throws(RepositoryError) -> ExportPage {
    try ExportReader(session: session, project: project, bytesMax: bytesMax)
      .page(query, from: place)
  }
}
