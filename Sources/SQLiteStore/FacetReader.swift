internal import Conversations
internal import Repository
internal import SQLite

/// Finds the facets of a project's metadata, on a read-only connection, inside its read transaction.
///
/// Each facet is one entry into an index, just after all pairs of the one before: what it costs does not
/// depend on how many conversations have it. (`SELECT DISTINCT` would walk through all of them.)
final class FacetReader {
  private let selectKey: Statement
  private let selectValue: Statement

  init(_ connection: borrowing Connection) throws(SQLiteError) {
    selectKey = try connection.prepare(Self.selectKeySQL)
    selectValue = try connection.prepare(Self.selectValueSQL)
  }

  /// The numbers of conversations are the last part of each index, so that they say where among the
  /// pairs of one facet an entry begins: before all of them, or after all.
  static let selectKeySQL = """
    SELECT key FROM metadata INDEXED BY metadata_by_key
    WHERE project = :project AND (key, conversation) > (:text, :conversation)
    ORDER BY key LIMIT 1
    """
  static let selectValueSQL = """
    SELECT value FROM metadata INDEXED BY metadata_by_pair
    WHERE project = :project AND key = :key AND (value, conversation) > (:text, :conversation)
    ORDER BY value LIMIT 1
    """

  /// Reads a page of facets, without counts.
  ///
  /// - Parameter isOver: Asked again and again; true ends the query.
  /// - Throws: `.queryTimeout`.
  func page(
    _ query: FacetQuery, in project: ProjectID, isOver: () -> Bool
  ) throws(RepositoryError) -> FacetPage {
    var page = FacetPage()
    var place = query.start
    while true {
      if isOver() { throw .queryTimeout }
      let next = try rethrowing { () throws(SQLiteError) in
        switch query.field {
        case .keys: return try first(selectKey, at: place, in: project)
        case .values(let key):
          try selectValue.bind(":key", key)
          return try first(selectValue, at: place, in: project)
        }
      }
      guard let next, next.starts(with: query.prefix.utf8) else { return page }
      place = FacetPlace(text: next, isBefore: false)
      guard let text = String(validating: next, as: UTF8.self),
        query.conversations(with: text) != nil
      else {
        page.unreadableCount += 1
        continue
      }
      if page.facets.count == query.limit {
        page.hasMore = true
        return page
      }
      page.facets.append(Facet(text))
    }
  }

  private func first(
    _ select: borrowing Statement, at place: FacetPlace, in project: ProjectID
  ) throws(SQLiteError) -> [UInt8]? {
    defer { select.reset() }
    select.bind(":project", project.number)
    try select.bind(":text", bytes: place.text)
    select.bind(":conversation", place.isBefore ? 0 : .max)
    return try select.step() ? select.bytes(0) : nil
  }

  /// What the statements have done since they were compiled.
  var work: StatementWork { selectKey.work + selectValue.work }
}

/// A place among facets. Its text may be that of a stored pair that is not UTF-8.
private struct FacetPlace {
  let text: [UInt8]
  /// Whether it is before all pairs with this text, or after them.
  let isBefore: Bool
}

extension FacetQuery {
  /// Where a page begins.
  fileprivate var start: FacetPlace {
    if let after, !after.utf8.lexicographicallyPrecedes(prefix.utf8) {
      return FacetPlace(text: Array(after.utf8), isBefore: false)
    }
    return FacetPlace(text: Array(prefix.utf8), isBefore: true)
  }
}
