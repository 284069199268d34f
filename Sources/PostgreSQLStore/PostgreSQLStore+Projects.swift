internal import Conversations
internal import PostgreSQL
public import Repository

extension PostgreSQLStore {
  /// All projects, by their numbers.
  public func projects() async throws(RepositoryError) -> [NamedProject] {
    try await query { session throws(RepositoryError) in
      let rows = try session.run([.once("SELECT number, name FROM projects ORDER BY number")])[0]
      return (0..<rows.count).map {
        NamedProject(id: ProjectID(number: rows.int64($0, 0)), name: rows.text($0, 1))
      }
    }
  }

  /// Counts what is in each project, by their numbers, a part at a time: each part as of one moment.
  public func projectCounts() async throws(RepositoryError) -> [ProjectCount] {
    try await projectCounts(atATime: ProjectCount.conversationsAtATime)
  }

  func projectCounts(atATime limit: Int64) async throws(RepositoryError) -> [ProjectCount] {
    var counts: [ProjectCount] = []
    for project in try await projects() {
      var count = ProjectCount(name: project.name)
      var last: [UInt8]? = []
      while let place = last, !Task.isCancelled {
        let part = try await self.count(of: project.id.number, after: place, limit)
        count.conversations += part.conversations
        count.items += part.items
        last = part.last
      }
      counts.append(count)
    }
    return counts
  }

  /// Counts the next conversations of a project after an id.
  ///
  /// - Returns: The counts, and the last of the ids; nil when there are no more.
  private func count(
    of project: Int64, after id: [UInt8], _ limit: Int64
  ) async throws(RepositoryError) -> (conversations: Int64, items: Int64, last: [UInt8]?) {
    try await query { session throws(RepositoryError) in
      let rows = try session.run([
        .once(
          """
          WITH part AS (
            SELECT id, item_count FROM conversations
            WHERE project = $1::bigint AND id > $2::bytea ORDER BY id LIMIT $3::bigint
          )
          SELECT count(*), coalesce(sum(item_count), 0)::bigint,
            (SELECT id FROM part ORDER BY id DESC LIMIT 1)
          FROM part
          """
        ) {
          $0.add(project)
          $0.add(id)
          $0.add(limit)
        }
      ])[0]
      let count = rows.int64(0, 0)
      let isLast = count < limit
      return (count, rows.int64(0, 1), isLast ? nil : rows.bytes(0, 2))
    }
  }
}
