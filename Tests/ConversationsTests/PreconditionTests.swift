import Conversations
import Testing

@Suite struct PreconditionTests {
  private static let known = ContentHash(String(repeating: "a", count: 32))!
  private static let other = ContentHash(String(repeating: "b", count: 32))!
  private static let third = ContentHash(String(repeating: "c", count: 32))!

  struct Case: Sendable {
    let ifMatch: Precondition.Contents?
    let ifNoneMatch: Precondition.Contents?
    /// What fails for `known`, for `other`, and for a content that cannot be shown.
    let failures: [Precondition.Failure?]

    init(
      _ ifMatch: Precondition.Contents?, _ ifNoneMatch: Precondition.Contents?,
      _ failures: Precondition.Failure?...
    ) {
      self.ifMatch = ifMatch
      self.ifNoneMatch = ifNoneMatch
      self.failures = failures
    }
  }

  private static let contents = [known, other, nil]

  private func failure(_ precondition: Precondition, _ content: ContentHash?)
    -> Precondition.Failure?
  {
    do {
      try precondition.require(content)
      return nil
    } catch {
      return error
    }
  }

  @Test(arguments: [
    Case(nil, nil, nil, nil, nil),
    Case(.any, nil, nil, nil, nil),
    Case(.oneOf([known]), nil, nil, .ifMatch, .ifMatch),
    Case(.oneOf([third, known]), nil, nil, .ifMatch, .ifMatch),
    Case(.oneOf([known, other]), nil, nil, nil, .ifMatch),
    Case(.oneOf([]), nil, .ifMatch, .ifMatch, .ifMatch),
    Case(nil, .any, .ifNoneMatch, .ifNoneMatch, .ifNoneMatch),
    Case(nil, .oneOf([known]), .ifNoneMatch, nil, nil),
    Case(nil, .oneOf([third, known]), .ifNoneMatch, nil, nil),
    Case(nil, .oneOf([]), nil, nil, nil),
    // If-Match comes first (RFC 9110, section 13.2.2).
    Case(.oneOf([other]), .oneOf([known]), .ifMatch, nil, .ifMatch),
    Case(.oneOf([known]), .oneOf([known]), .ifNoneMatch, .ifMatch, .ifMatch),
    Case(.any, .any, .ifNoneMatch, .ifNoneMatch, .ifNoneMatch),
  ])
  func `what a content fails is told`(test: Case) {
    let precondition = Precondition(ifMatch: test.ifMatch, ifNoneMatch: test.ifNoneMatch)
    for (content, expected) in zip(Self.contents, test.failures) {
      #expect(failure(precondition, content) == expected)
    }
  }

  @Test func `the content is hashed only when something is demanded`() throws {
    var count = 0
    func content() -> ContentHash? {
      count += 1
      return Self.known
    }
    try Precondition.none.require(content())
    #expect(count == 0)
    try Precondition(ifMatch: .any, ifNoneMatch: .oneOf([])).require(content())
    #expect(count == 1)
  }
}
