/// A parser of untrusted input under libFuzzer, and the name of the folder with its seeds.
///
/// What is wrong with an input is thrown by `check`, or ends the process. `scripts/fuzz` makes up
/// inputs, and the tests run those that are kept in `corpus`.
enum FuzzTarget: String, CaseIterable, Sendable {
  /// A JSON text.
  case json
  /// `C` or `U` and the body of a request that creates or updates a conversation.
  case body
  /// A line with stored metadata, and the body of a PATCH.
  case patch
  /// The target of a request: path and query.
  case query
  /// Header fields, one a line.
  case headers
  /// Ids, keys and hashes: any short text.
  case names

  /// Runs the parser and checks what must be true of what it makes of any input.
  ///
  /// - Throws: `Violation`.
  func check(_ input: [UInt8]) throws {
    switch self {
    case .json: try checkJSON(input)
    case .body: try checkBody(input)
    case .patch: try checkPatch(input)
    case .query: try checkQuery(input)
    case .headers: try checkHeaders(input)
    case .names: try checkNames(input)
    }
  }
}

/// What must be true is not.
struct Violation: Error, CustomStringConvertible {
  let description: String
}

/// - Throws: `Violation` with the words, when the condition does not hold.
func require(_ condition: Bool, _ words: @autoclosure () -> String) throws(Violation) {
  if !condition { throw Violation(description: words()) }
}

/// The other half of `require`: what must be there is not nil.
func require<Value>(
  _ value: Value?, _ words: @autoclosure () -> String
) throws(Violation) -> Value {
  guard let value else { throw Violation(description: words()) }
  return value
}

extension String {
  /// Its UTF-8: what texts are compared by.
  var bytes: [UInt8] { Array(utf8) }
}

extension Collection<UInt8> {
  /// How many code points valid UTF-8 has, counted otherwise than the service does.
  var codePointCount: Int { count { $0 & 0xc0 != 0x80 } }
}
