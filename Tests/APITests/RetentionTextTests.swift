import Conversations
import Testing

@testable import API

/// Rules of retention as people write them.
@Suite struct RetentionTextTests {
  @Test(arguments: [
    ("delete?age=30d", nil, 2_592_000, nil), ("delete?idle=2w", nil, nil, 1_209_600),
    ("delete?age=1h&idle=90s&project=a%2Bb", "a+b", 3600, 90),
    ("keep?metadata[a]=b", nil, nil, nil), ("keep?project=sales", "sales", nil, nil),
    ("keep?age=1d&metadata_exists[]=a", nil, 86_400, nil), ("keep?metadata[a]=", nil, nil, nil),
    ("keep?metadata[a]=b%0A", nil, nil, nil),
  ])
  func `a rule says what it is about`(
    text: String, project: String?, age: Int64?, idle: Int64?
  ) throws {
    let rule = try RetentionRule(text)
    #expect(rule.action.rawValue == text.prefix { $0 != "?" })
    #expect(rule.project == project)
    #expect(rule.ageSeconds == age)
    #expect(rule.idleSeconds == idle)
    #expect(rule.description == text)
  }

  @Test(arguments: [
    ("", "begins with neither"), ("delete", "needs 'age' or 'idle'"),
    ("delete?", "needs 'age' or 'idle'"), ("remove?age=1d", "begins with neither"),
    ("delete?metadata[a]=b", "needs 'age' or 'idle'"), ("keep?age=1d", "needs a condition"),
    ("keep?", "needs a condition"), ("delete?age=1", "has 'age=1'"),
    ("delete?age=0d", "has 'age=0d'"), ("delete?age=-1d", "has 'age=-1d'"),
    ("delete?age=101y", "has 'age=101y'"), ("delete?idle=40000d", "has 'idle=40000d'"),
    ("delete?age=1d&age=2d", "has 'age' twice"), ("delete?age=1d&up_to=3", "parameter 'up_to'"),
    ("delete?age=1d&created_at[lt]=3", "parameter 'created_at[lt]'"),
    ("delete?age=1d&metadata=3", "is wrong: Unknown parameter: 'metadata'"),
    ("delete?age=1d&metadata[\(String(repeating: "k", count: 65))]=3", "is wrong: "),
    ("delete?age=1d&metadata[a]=%ff", "no percent-encoded UTF-8"),
    ("keep?metadata[a]=yes\n", "an invisible character"),
    ("keep?metadata[a]=y\u{200b}es", "an invisible character"),
    ("keep?metadata[plan]=pro+", "write %2B"), ("keep?metadata[a]", "'metadata[a]' without '='"),
    ("keep?project=", "'project='"), ("keep?project=a%20b", "'project=a b'"),
    ("keep?project", "'project' without '='"),
    ("keep?metadata_exists[]=", "'metadata_exists[]' without a key"),
    ("delete?age=1d&metadata_absent[]=", "'metadata_absent[]' without a key"),
  ])
  func `what is wrong with a rule is said`(text: String, words: String) {
    let error = #expect(throws: RetentionTextError.self) { try RetentionRule(text) }
    #expect(error?.words.contains(words) == true, "\(error?.words ?? "")")
  }
}
