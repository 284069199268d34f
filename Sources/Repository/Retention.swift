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

  /// How long one page may take to be found. Nobody waits for it, and a page that never ends would keep
  /// its rule from ever getting further.
  public static let queryTimeout = Duration.seconds(600)

  /// Deletes what the rules say. Waits after each few deletions, so that other writes go first. Stops
  /// early when the task is cancelled.
  ///
  /// When something goes wrong with one rule or one conversation, the others are done all the same.
  ///
  /// - Parameter whenDeleted: Called after each few, with the place of the rule in
  ///   `RetentionRules.deletions` and how many were deleted.
  public func run(
    on store: any Store, whenDeleted: (_ rule: Int, _ count: Int) -> Void
  ) async throws(RepositoryError) {
    var firstError: RepositoryError?
    try await visit(in: store) { rule, project, page throws(RepositoryError) in
      // Not only what this rule is the first to delete: the first may have failed.
      var left = page.listed.filter {
        rules.delete($0, inProjectNamed: project.name, now: now)
      }[...]
      if left.isEmpty, page.hasMore { try? await Task.sleep(for: DeletionSlice.pause) }
      // What failed with others is tried again by itself.
      var slicesOfOne = 0
      while !left.isEmpty, !Task.isCancelled {
        let begin = ContinuousClock.now
        let fitting = DeletionSlice.count(left.map { $0.activity?.itemCount ?? 0 })
        let slice = left.prefix(slicesOfOne > 0 ? 1 : fitting)
        do throws(RepositoryError) {
          let count = try await delete(slice.map(\.conversation.id), of: project, on: store)
          if count > 0 { whenDeleted(rule, count) }
        } catch {
          guard error.isOfWhatIsDeleted else { throw error }
          firstError = firstError ?? error
          if slice.count > 1 {
            slicesOfOne = slice.count
            continue
          }
        }
        left = left.dropFirst(slice.count)
        slicesOfOne = max(0, slicesOfOne - 1)
        try? await Task.sleep(for: ContinuousClock.now - begin + DeletionSlice.pause)
      }
    }
    if let firstError { throw firstError }
  }

  private func delete(
    _ ids: [ConversationID], of project: NamedProject, on store: any Store
  ) async throws(RepositoryError) -> Int {
    try await store.deleteConversations(ids, in: project.id) { [rules] listed, now in
      rules.delete(listed, inProjectNamed: project.name, now: now)
    }
  }

  /// Finds what the rules would delete now.
  ///
  /// - Parameters:
  ///   - whenKept: Called with the place of a rule in `RetentionRules.keeps` for each conversation that
  ///     would be deleted without it.
  ///   - whenFound: Called with the place of the rule in `RetentionRules.deletions`, the project, and
  ///     some conversations.
  public func find(
    in source: any ConversationSource, whenKept: (_ rule: Int) -> Void = { _ in },
    whenFound: (_ rule: Int, _ project: NamedProject, [ListedConversation]) -> Void
  ) async throws(RepositoryError) {
    try await visit(in: source) { rule, project, page throws(RepositoryError) in
      var chosen: [ListedConversation] = []
      for listed in page.listed {
        let match = rules.match(of: listed, inProjectNamed: project.name, now: now)
        guard let match, match.deletion == rule else { continue }
        if let keep = match.keep { whenKept(keep) } else { chosen.append(listed) }
      }
      if !chosen.isEmpty { whenFound(rule, project, chosen) }
    }
  }

  /// The rules that name a project that does not exist.
  public func rulesWithoutProject(
    in source: any ConversationSource
  ) async throws(RepositoryError) -> [RetentionRule] {
    let all = rules.deletions + rules.keeps
    guard all.contains(where: { $0.project != nil }) else { return [] }
    let projects = try await source.projects()
    return all.filter { rule in !projects.contains { rule.isAbout(projectNamed: $0.name) } }
  }

  private func visit(
    in source: any ConversationSource,
    _ body: (Int, NamedProject, ConversationPage) async throws(RepositoryError) -> Void
  ) async throws(RepositoryError) {
    guard !rules.deletions.isEmpty else { return }
    let projects = try await source.projects()
    var firstError: RepositoryError?
    for (index, rule) in rules.deletions.enumerated() {
      for project in projects where rule.isAbout(projectNamed: project.name) {
        do throws(RepositoryError) {
          try await visit(rule, project, in: source) { page throws(RepositoryError) in
            try await body(index, project, page)
          }
        } catch {
          // A query that takes too long is no reason to keep what other rules delete.
          firstError = firstError ?? error
        }
      }
    }
    if let firstError { throw firstError }
  }

  private func visit(
    _ rule: RetentionRule, _ project: NamedProject, in source: any ConversationSource,
    _ body: (ConversationPage) async throws(RepositoryError) -> Void
  ) async throws(RepositoryError) {
    var query = rule.query(now: now)
    while !Task.isCancelled {
      let page = try await source.conversations(
        query, in: project.id, within: Self.queryTimeout)
      try await body(page)
      guard page.hasMore, let last = page.listed.last, !rule.isBehind(last, now: now) else {
        return
      }
      query.after = last.place(by: query.orderBy)
    }
  }
}

extension RepositoryError {
  /// Whether other conversations may be deleted although this happened.
  fileprivate var isOfWhatIsDeleted: Bool {
    switch self {
    case .unavailable, .storageFull, .commitUnknown: false
    default: true
    }
  }
}

/// What conversations are found in.
public protocol ConversationSource: Sendable {
  /// All projects, by their numbers.
  func projects() async throws(RepositoryError) -> [NamedProject]

  /// Reads a page of the conversations that a query asks for, as of one moment.
  ///
  /// - Parameter timeout: How long it may take, at most; nil for what the settings say.
  /// - Throws: `.cursorNotFound`, `.queryTimeout`, also when the task is cancelled.
  func conversations(
    _ query: ConversationQuery, in project: ProjectID, within timeout: Duration?
  ) async throws(RepositoryError) -> ConversationPage
}

extension ConversationSource {
  /// Reads a page of the conversations that a query asks for, as of one moment, in the time that the
  /// settings say.
  ///
  /// - Throws: `.cursorNotFound`, `.queryTimeout`.
  public func conversations(
    _ query: ConversationQuery, in project: ProjectID
  ) async throws(RepositoryError) -> ConversationPage {
    try await conversations(query, in: project, within: nil)
  }
}
