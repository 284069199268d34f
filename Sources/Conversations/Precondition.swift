/// What a request demands of a conversation's content before it is read or changed (RFC 9110,
/// section 13.1). The conversation exists: whether it does is asked first.
public struct Precondition: Sendable {
  /// The contents that a header field names.
  public enum Contents: Sendable {
    /// `*`: any content.
    case any
    /// One of these. A list of none is named by a field that names nothing known here.
    case oneOf([ContentHash])

    fileprivate func contains(_ content: ContentHash?) -> Bool {
      switch self {
      case .any: true
      case .oneOf(let hashes): content.map(hashes.contains) ?? false
      }
    }
  }

  /// Which of the two fields is not fulfilled.
  public enum Failure: Error, Equatable, Sendable {
    /// The content is none of those that `If-Match` names.
    case ifMatch
    /// The content is one of those that `If-None-Match` names.
    case ifNoneMatch
  }

  private let ifMatch: Contents?
  private let ifNoneMatch: Contents?

  /// Nothing is demanded.
  public static let none = Precondition()

  /// - Parameters:
  ///   - ifMatch: The content must be one of these.
  ///   - ifNoneMatch: The content must be none of these.
  public init(ifMatch: Contents? = nil, ifNoneMatch: Contents? = nil) {
    self.ifMatch = ifMatch
    self.ifNoneMatch = ifNoneMatch
  }

  /// Whether nothing is demanded.
  public var isEmpty: Bool { ifMatch == nil && ifNoneMatch == nil }

  /// - Parameter content: What the conversation's content is, evaluated only when something is
  ///   demanded; nil when it cannot be shown, and then it is none that could be named.
  /// - Throws: The first that fails, in the order of RFC 9110, section 13.2.2.
  public func require(_ content: @autoclosure () -> ContentHash?) throws(Failure) {
    guard !isEmpty else { return }
    let content = content()
    if let ifMatch, !ifMatch.contains(content) { throw .ifMatch }
    if let ifNoneMatch, ifNoneMatch.contains(content) { throw .ifNoneMatch }
  }
}
