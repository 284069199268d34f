public import Conversations

/// A database that a command reads, beside its servers and without changing it.
public protocol ExportSource: AnyObject {
  /// The projects and the API keys.
  func installation() throws(RepositoryError) -> Installation

  /// Finds a project; nil when there is none of this name.
  func project(named name: String) throws(RepositoryError) -> ProjectID?

  /// The newest conversation that a project has now; nil when it has none.
  func newestID(in project: ProjectID) throws(RepositoryError) -> ConversationID?

  /// Reads a page of an export, as of one moment, however long that takes.
  ///
  /// - Parameters:
  ///   - query: Its limit, its order and its places mean nothing.
  ///   - place: Where the page before ended; nil for the first.
  ///   - bytesMax: How large the page is, about.
  func exportPage(
    _ query: ConversationQuery, from place: ExportPlace?, in project: ProjectID, bytesMax: Int
  ) throws(RepositoryError) -> ExportPage
}
