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
    if let project, !Self.canBeProject(project) {
      throw RetentionTextError(words: "has 'project=\(project)', which no project can be named")
    }
    let age = try Self.seconds("age", from: &parameters)
    let idle = try Self.seconds("idle", from: &parameters)
    if let other = parameters.first(where: { !$0.name.hasPrefix("metadata") }) {
      throw RetentionTextError(words: "has the unknown parameter '\(other.name)'")
    }
    let lists = ["metadata_exists", "metadata_absent"]
    if let list = parameters.first(where: { parameter in
      parameter.value.isEmpty && lists.contains { parameter.name.hasPrefix($0) }
    }) {
      throw RetentionTextError(words: "has '\(list.name)' without a key")
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

  /// Names and values, decoded. What could be taken for something else than it is is refused, since a
  /// `keep` rule for another value than was meant keeps nothing.
  private static func parameters(_ query: String) throws(RetentionTextError) -> [Parameter] {
    guard !query.unicodeScalars.contains(where: isInvisible) else {
      throw RetentionTextError(words: "has an invisible character; write it percent-encoded")
    }
    guard !query.utf8.contains(UInt8(ascii: "+")) else {
      throw RetentionTextError(words: "has a '+'; write %2B for a plus sign, or %20 for a space")
    }
    if let part = query.utf8.split(separator: UInt8(ascii: "&")).first(where: {
      !$0.contains(UInt8(ascii: "="))
    }) {
      throw RetentionTextError(words: "has '\(Substring(part))' without '=' and a value")
    }
    do {
      return try RequestTarget("/?" + query).queryParameters()
    } catch {
      throw RetentionTextError(words: "has '\(error.sequence)', which is no percent-encoded UTF-8")
    }
  }

  /// Whether it is a control character, a space, or a character that only changes how others look.
  private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator: true
    default: false
    }
  }

  /// Whether a project can have the name: 1 to 64 visible ASCII characters.
  private static func canBeProject(_ name: String) -> Bool {
    (1...64).contains(name.utf8.count) && name.utf8.allSatisfy { (0x21...0x7e).contains($0) }
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
