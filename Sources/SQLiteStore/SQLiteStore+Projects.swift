internal import Conversations
public import Repository
internal import SQLite

extension SQLiteStore {
  /// All projects, by their numbers.
  public func projects() async throws(RepositoryError) -> [NamedProject] {
    try await queries.projects()
  }

  /// Counts what is in each project, by their numbers, a part at a time: each part as of one moment.
  public func projectCounts() async throws(RepositoryError) -> [ProjectCount] {
    try await projectCounts(atATime: ProjectCount.conversationsAtATime)
  }

  func projectCounts(atATime limit: Int64) async throws(RepositoryError) -> [ProjectCount] {
    var counts: [Int64: ProjectCount] = [:]
    let projects = try await projects()
    for project in projects { counts[project.id.number] = ProjectCount(name: project.name) }
    var last: Int64 = 0
    while !Task.isCancelled {
      let parts = try await queries.run { [last] reader, _ throws(RepositoryError) in
        try rethrowing { () throws(SQLiteError) in try reader.counts(after: last, limit)
        }
      }
      guard let end = parts.map(\.last).max() else { break }
      for part in parts {
        counts[part.project]?.conversations += part.conversations
        counts[part.project]?.items += part.items
      }
      last = end
    }
    return projects.compactMap { counts[$0.id.number] }
  }
}

extension QueryPool {
  /// All projects, by their numbers.
  func projects() async throws(RepositoryError) -> [NamedProject] {
    try await run { reader, _ throws(RepositoryError) in
      try rethrowing { () throws(SQLiteError) in try reader.projects() }
    }
  }
}

extension QueryReader {
  /// The counts of one project in a part of the conversations.
  struct PartCount: Sendable {
    let project: Int64
    let conversations: Int64
    let items: Int64
    /// The highest number of a conversation.
    let last: Int64
  }

  fileprivate func projects() throws(SQLiteError) -> [NamedProject] {
    let select = try connection.prepare("SELECT number, name FROM projects ORDER BY number")
    var projects: [NamedProject] = []
    while try select.step() {
      projects.append(
        NamedProject(id: ProjectID(number: select.integer(0)), name: select.repairedText(1)))
    }
    return projects
  }

  /// Counts the next conversations after a number.
  fileprivate func counts(
    after number: Int64, _ limit: Int64
  ) throws(SQLiteError) -> [PartCount] {
    let select = try connection.prepare(
      """
      SELECT project, count(*), sum(item_count), max(conversation)
      FROM (
        SELECT project, item_count, conversation FROM activity
        WHERE conversation > :number ORDER BY conversation LIMIT :limit
      )
      GROUP BY project
      """)
    select.bind(":number", number)
    select.bind(":limit", limit)
    var parts: [PartCount] = []
    while try select.step() {
      parts.append(
        PartCount(
          project: select.integer(0), conversations: select.integer(1), items: select.integer(2),
          last: select.integer(3)))
    }
    return parts
  }
}
