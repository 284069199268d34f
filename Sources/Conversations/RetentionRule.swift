/// Which conversations go when they are old, or stay all the same.
public struct RetentionRule: Sendable, CustomStringConvertible {
  /// What happens to a conversation that a rule is about.
  public enum Action: String, Sendable, CaseIterable {
    /// It is deleted.
    case delete
    /// It is never deleted by a rule.
    case keep
  }

  /// What happens to the conversations.
  public let action: Action
  /// The name of the project that it is about; nil for all.
  public let project: String?
  /// What the metadata must fulfil.
  private let query: ConversationQuery
  /// How long ago the conversation was created at least, in seconds; nil for any time.
  public let ageSeconds: Int64?
  /// How long ago its last activity was at least, in seconds; nil for any time.
  public let idleSeconds: Int64?
  /// The rule as it was written.
  public let description: String

  /// The most seconds of an age: a century.
  public static let secondsMax: Int64 = 100 * 365 * 86_400

  /// - Parameters:
  ///   - action: What happens to the conversations.
  ///   - project: The name of the project that it is about; nil for all.
  ///   - query: What the metadata must fulfil; the rest of it means nothing.
  ///   - ageSeconds: How long ago the conversation was created at least.
  ///   - idleSeconds: How long ago its last activity was at least.
  ///   - description: The rule as it was written.
  /// - Throws: `.withoutAge` for a deletion of what is new, too; `.withoutCondition` for a rule that
  ///   keeps everything.
  public init(
    _ action: Action, project: String?, query: ConversationQuery, ageSeconds: Int64?,
    idleSeconds: Int64?, description: String
  ) throws(RetentionRuleError) {
    switch action {
    case .delete: if ageSeconds == nil, idleSeconds == nil { throw .withoutAge }
    case .keep: if project == nil, query.conditions.isEmpty { throw .withoutCondition }
    }
    self.action = action
    self.project = project
    self.query = query
    self.ageSeconds = ageSeconds
    self.idleSeconds = idleSeconds
    self.description = description
  }

  /// Whether it is about the conversations of a project.
  public func isAbout(projectNamed name: String) -> Bool {
    project?.hasSameBytes(as: name) ?? true
  }

  /// Whether it is about a conversation of a project that it is about.
  ///
  /// - Parameter now: Unix microseconds.
  public func isFulfilled(by listed: ListedConversation, now: Int64) -> Bool {
    let id = listed.conversation.id
    if let ageSeconds, id.createdAtMicroseconds > now - ageSeconds * 1_000_000 { return false }
    if let idleSeconds {
      guard let activity = listed.activity,
        activity.lastMicroseconds <= now - idleSeconds * 1_000_000
      else { return false }
    }
    let pairs = listed.conversation.metadata.pairs.map { pair -> (key: String?, value: String?) in
      (pair.key, pair.value)
    }
    return query.conditions.allSatisfy { $0.isFulfilled(by: pairs) }
  }
}

/// What is wrong with a rule.
public enum RetentionRuleError: Error, Equatable, Sendable {
  /// It deletes, and names no age.
  case withoutAge
  /// It keeps, and does not say which conversations.
  case withoutCondition
}

/// All rules of a server.
public struct RetentionRules: Sendable {
  /// Those that delete, in the order given.
  public let deletions: [RetentionRule]
  /// Those that keep, in the order given.
  public let keeps: [RetentionRule]

  /// - Parameter rules: In the order given.
  public init(_ rules: [RetentionRule] = []) {
    deletions = rules.filter { $0.action == .delete }
    keeps = rules.filter { $0.action == .keep }
  }

  /// The rules that a conversation matches; nil when no rule would delete it.
  ///
  /// - Parameters:
  ///   - project: The name of its project.
  ///   - now: Unix microseconds.
  public func match(
    of listed: ListedConversation, inProjectNamed project: String, now: Int64
  ) -> RetentionMatch? {
    func isAbout(_ rule: RetentionRule) -> Bool {
      rule.isAbout(projectNamed: project) && rule.isFulfilled(by: listed, now: now)
    }
    guard let deletion = deletions.firstIndex(where: isAbout) else { return nil }
    return RetentionMatch(deletion: deletion, keep: keeps.firstIndex(where: isAbout))
  }

  /// Whether a conversation is to be deleted.
  ///
  /// - Parameters:
  ///   - project: The name of its project.
  ///   - now: Unix microseconds.
  public func delete(
    _ listed: ListedConversation, inProjectNamed project: String, now: Int64
  ) -> Bool {
    match(of: listed, inProjectNamed: project, now: now).map { $0.keep == nil } ?? false
  }
}

/// The rules that a conversation matches.
public struct RetentionMatch: Equatable, Sendable {
  /// The place in `RetentionRules.deletions` of the first rule that would delete it.
  public let deletion: Int
  /// The place in `RetentionRules.keeps` of the first rule that keeps it; nil when it is deleted.
  public let keep: Int?
}

extension RetentionRule {
  /// A query for the conversations that the rule may be about, the oldest first. `isFulfilled` decides.
  ///
  /// - Parameter now: Unix microseconds.
  public func query(now: Int64) -> ConversationQuery {
    var query = query
    query.order = .ascending
    query.limit = ConversationQuery.limits.upperBound
    query.included = [.itemCount, .lastActivityAt]
    // Nothing was active before it was created.
    let seconds = max(ageSeconds ?? 0, idleSeconds ?? 0)
    query.createdBefore = max(0, now / 1_000_000 - seconds + 1)
    // `isBehind` ends it then, so that what is active is not read.
    if idleSeconds != nil { query.orderBy = .lastActivity }
    return query
  }

  /// Whether all that follows this conversation in the rule's query is too active for the rule.
  public func isBehind(_ listed: ListedConversation, now: Int64) -> Bool {
    guard let idleSeconds, let activity = listed.activity else { return false }
    return activity.lastMicroseconds > now - idleSeconds * 1_000_000
  }
}
