internal import Conversations
internal import PostgreSQL
internal import Repository

/// Finds the facets of a project's metadata.
struct FacetReader {
  let session: QuerySession
  let project: ProjectID

  /// Reads a page of facets, and counts as of the same moment. Counts that the deadline comes before
  /// are left out.
  ///
  /// - Throws: `.queryTimeout` when not even the facets are found.
  func page(_ query: FacetQuery) throws(RepositoryError) -> FacetPage {
    try session.inSnapshot { session throws(RepositoryError) in
      var page = try withoutCounts(query, session)
      guard query.countLimit > 0 else { return page }
      for index in page.facets.indices {
        guard let conversations = query.conversations(with: page.facets[index].text),
          let reader = ConversationReader(conversations, in: project, on: session)
        else { preconditionFailure("a facet that no metadata can have") }
        let (count, isComplete) = try reader.count(upTo: query.countLimit)
        guard isComplete else { break }
        page.facets[index].count = count
      }
      return page
    }
  }

  private func withoutCounts(
    _ query: FacetQuery, _ session: QuerySession
  ) throws(RepositoryError) -> FacetPage {
    var page = FacetPage()
    guard let call = call(query) else { return page }
    let rows = try session.run([call])[0]
    for row in 0..<rows.count {
      let text = rows.text(row, 0)
      guard text.utf8.starts(with: query.prefix.utf8) else { return page }
      if page.facets.count == query.limit {
        page.hasMore = true
        return page
      }
      page.facets.append(Facet(text))
    }
    return page
  }

  /// - Returns: nil for what no metadata can have.
  private func call(_ query: FacetQuery) -> Call? {
    guard !query.prefix.utf8.contains(0) else { return nil }
    var start = query.prefix
    var isIncluded = true
    if let after = query.after, !after.utf8.lexicographicallyPrecedes(query.prefix.utf8) {
      // What PostgreSQL has sorts behind a text with U+0000 as it does behind what precedes that.
      start = String(decoding: after.utf8.prefix { $0 != 0 }, as: UTF8.self)
      isIncluded = false
    }
    switch query.field {
    case .keys:
      return QueryStatements.findKey.call { add(&$0, start, isIncluded, query.limit) }
    case .values(let key):
      guard !key.utf8.contains(0) else { return nil }
      return QueryStatements.findValue.call {
        add(&$0, start, isIncluded, query.limit)
        $0.add(key)
      }
    }
  }

  private func add(
    _ parameters: inout Parameters, _ start: String, _ isIncluded: Bool, _ limit: Int
  ) {
    parameters.add(project.number)
    parameters.add(start)
    parameters.add(isIncluded)
    parameters.add(Int64(limit) + 1)
  }
}
