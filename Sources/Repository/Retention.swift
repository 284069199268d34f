public import Conversations

/// Finds what the rules of retention delete, and deletes it a few conversations at a time.
public struct Retention: Sendable {
  private let rules: RetentionRules
  /// The wall clock, in Unix microseconds. It finds; the store's own clock decides.
  private let now: Int64

  /// - Parameters:
  ///   - rules: Those of the server.
  ///   - now: Unix microseconds.
  public init(_ rules: RetentionRules, now: Int64 = UnixTime.microseconds()) {
    self.rules = rules
    self.now = now
  }

  /// Deletes what the rules say. Waits after each few deletions, so that other writes go first. Stops
  /// early when the task is cancelled.
  ///
  /// When something goes wrong with one rule, the others are done all the same.
  ///
  /// - Parameter whenDeleted: Called after each few, with the place of the rule in
  ///   `RetentionRules.deletions` and how many were deleted.
  public func run(
    on store: any Store, whenDeleted: (_ rule: Int, _ count: Int) -> Void
  ) async throws(RepositoryError) {
    try await visit(in: store) { rule, project, chosen throws(RepositoryError) in
      var left = chosen[...]
      while !left.isEmpty, !Task.isCancelled {
        let begin = ContinuousClock.now
        let slice = left.prefix(DeletionSlice.count(left.map { $0.activity?.itemCount ?? 0 }))
        left = left.dropFirst(slice.count)
        let count = try await store.deleteConversations(
          slice.map(\.conversation.id), in: project.id
        ) { [rules] listed, now in
          rules.deletion(of: listed, inProjectNamed: project.name, now: now) != nil
        }
        if count > 0 { whenDeleted(rule, count) }
        try? await Task.sleep(for: ContinuousClock.now - begin + DeletionSlice.pause)
      }
    }
  }

  /// Finds what the rules would delete now.
  ///
  /// - Parameter whenFound: Called with the place of the rule in `RetentionRules.deletions`, the project,
  ///   and some conversations.
  public func find(
    in source: any ConversationSource,
    whenFound: (_ rule: Int, _ project: NamedProject, [ListedConversation]) -> Void
  ) async throws(RepositoryError) {
    try await visit(in: source) { rule, project, chosen throws(RepositoryError) in
      whenFound(rule, project, chosen)
    }
  }

  private func visit(
    in source: any ConversationSource,
    _ body: (Int, NamedProject, [ListedConversation]) async throws(RepositoryError) -> Void
  ) async throws(RepositoryError) {
    guard !rules.deletions.isEmpty else { return }
    let projects = try await source.projects()
    var firstError: RepositoryError?
    for (index, rule) in rules.deletions.enumerated() {
      for project in projects where rule.isAbout(projectNamed: project.name) {
        do throws(RepositoryError) {
          try await visit(rule, index, project, in: source, body)
        } catch {
          // A query that takes too long is no reason to keep what other rules delete.
          firstError = firstError ?? error
        }
      }
    }
    if let firstError { throw firstError }
  }

  private func visit(
    _ rule: RetentionRule, _ index: Int, _ project: NamedProject, in source: any ConversationSource,
    _ body: (Int, NamedProject, [ListedConversation]) async throws(RepositoryError) -> Void
  ) async throws(RepositoryError) {
    var query = rule.query(now: now)
    while !Task.isCancelled {
      let page = try await source.conversations(query, in: project.id)
      let chosen = page.listed.filter {
        rules.deletion(of: $0, inProjectNamed: project.name, now: now) == index
      }
      if !chosen.isEmpty { try await body(index, project, chosen) }
      guard page.hasMore, let last = page.listed.last, !rule.isBehind(last, now: now) else {
        return
      }
      query.after = last.place(by: query.orderBy)
    }
  }
}

/// What conversations are found in.
public protocol ConversationSource: Sendable {
  /// All projects, by their numbers.
  func projects() async throws(RepositoryError) -> [NamedProject]

  /// Reads a page of the conversations that a query asks for, as of one moment.
  ///
  /// - Throws: `.cursorNotFound`, `.queryTimeout`.
  func conversations(
    _ query: ConversationQuery, in project: ProjectID
  ) async throws(RepositoryError) -> ConversationPage
}
