import Testing

/// One row of the contract: a request and what is answered.
///
/// In the target, the header fields and what is expected, `{id}` stands for a conversation that
/// exists, `{etag}` for its ETag, `{hash}` for that without quotes, `{seconds}` for its creation
/// time, `{place}` for its place in the order of last activity, and `{unknown}` for an id that no
/// conversation has.
struct APICase: Sendable, CustomTestStringConvertible {
  let name: String
  let method: String
  let target: String
  var headers: [(name: String, value: String)] = []
  var body: [UInt8] = []
  /// The metadata of the conversation that exists.
  let stored: KeyValuePairs<String, String>
  let expected: Expectation

  enum Expectation: Sendable {
    /// 200 and exactly this body; `{new}` stands for the id and `{created_at}` for its time, and
    /// `{existing}` for the whole conversation that exists, `{existing-}` without its last brace.
    case ok(String, headers: [String: String] = [:])
    /// 304 with the ETag of the conversation that exists, and no content.
    case notModified
    /// An error with exactly these four members.
    case error(
      Int, String, param: String? = nil, code: String? = nil, headers: [String: String] = [:])
    /// An error whose message begins and ends like this, with a hint between or after.
    case hinted(Int, prefix: String, suffix: String = "", code: String?)
  }

  var testDescription: String { name }

  /// Whether the answer has content; a length in its header does not tell (RFC 9110, section 8.6).
  var hasContent: Bool {
    if case .notModified = expected { false } else { method != "HEAD" }
  }

  init(
    _ name: String, _ method: String, _ target: String,
    headers: [(name: String, value: String)] = [], body: String = "",
    stored: KeyValuePairs<String, String> = ["topic": "test"], expect: Expectation
  ) {
    self.init(
      name, method, target, headers: headers, bytes: Array(body.utf8), stored: stored,
      expect: expect)
  }

  init(
    _ name: String, _ method: String, _ target: String,
    headers: [(name: String, value: String)] = [], bytes: [UInt8],
    stored: KeyValuePairs<String, String> = ["topic": "test"], expect: Expectation
  ) {
    self.name = name
    self.method = method
    self.target = target
    self.headers = headers
    self.body = bytes
    self.stored = stored
    self.expected = expect
  }
}
