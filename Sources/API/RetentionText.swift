public import Conversations
internal import HTTP

/// What is wrong with the text of a rule of retention, in words for people.
public struct RetentionTextError: Error, Equatable, Sendable {
  /// The words, which follow the rule.
  public let words: String
}

extension RetentionRule {
  /// Reads a rule such as `delete?age=30d&metadata[env]=test`: the action, and parameters as those of
  /// the list (contract, section 6) and `project`, `age` and `idle`.
  ///
  /// - Throws: The first fault.
  public init(_ text: String) throws(RetentionTextError) {
    let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    guard let action = parts.first.flatMap({ Action(rawValue: String($0)) }) else {
      throw RetentionTextError(words: "begins with neither 'delete?' nor 'keep?'")
    }
    var parameters = try Self.parameters(parts.count == 2 ? String(parts[1]) : "")
    let project = try Self.take("project", from: &parameters)
    let age = try Self.seconds("age", from: &parameters)
    let idle = try Self.seconds("idle", from: &parameters)
    if let other = parameters.first(where: { !$0.name.hasPrefix("metadata") }) {
      throw RetentionTextError(words: "has the unknown parameter '\(other.name)'")
    }
    let query: ConversationQuery
    do {
      query = try ListParameters(parameters, of: .count).query
    } catch {
      throw RetentionTextError(words: "is wrong: \(ErrorResponse(error).message)")
    }
    do {
      try self.init(
        action, project: project, query: query, ageSeconds: age, idleSeconds: idle,
        description: text)
    } catch .withoutAge {
      throw RetentionTextError(words: "needs 'age' or 'idle', or it would delete what is new")
    } catch {
      throw RetentionTextError(words: "needs a condition of metadata, or 'project'")
    }
  }

  private typealias Parameter = (name: String, value: String)

  private static func parameters(_ query: String) throws(RetentionTextError) -> [Parameter] {
    do {
      return try RequestTarget("/?" + query).queryParameters()
    } catch {
      throw RetentionTextError(words: "has '\(error.sequence)', which is no percent-encoded UTF-8")
    }
  }

  private static func take(
    _ name: String, from parameters: inout [Parameter]
  ) throws(RetentionTextError) -> String? {
    let values = parameters.filter { $0.name == name }.map(\.value)
    guard values.count < 2 else { throw RetentionTextError(words: "has '\(name)' twice") }
    parameters.removeAll { $0.name == name }
    return values.first
  }

  private static func seconds(
    _ name: String, from parameters: inout [Parameter]
  ) throws(RetentionTextError) -> Int64? {
    guard let text = try take(name, from: &parameters) else { return nil }
    guard let seconds = DurationText.seconds(text, upTo: secondsMax) else {
      throw RetentionTextError(
        words: "has '\(name)=\(text)': a number and s, m, h, d or w, at most 100 years")
    }
    return seconds
  }
}
