import JSON

/// A text is read exactly when the reference reads it, as the same value; and what is read is the
/// same again when it is written and read.
func checkJSON(_ text: [UInt8]) throws {
  let expected = Result { () throws(ReferenceJSON.Fault) in try ReferenceJSON(text) }
  let json: JSON
  do {
    json = try JSON(parsing: text)
  } catch {
    return try check(error, of: text, expected)
  }
  guard case .success(let expected) = expected else {
    throw Violation(description: "was read, but is not JSON")
  }
  try require(json.isSame(as: expected), "was read as another value")
  var writer = JSONWriter()
  writer.write(json)
  let written = Result { () throws(JSONError) in try JSON(parsing: writer.bytes) }
  guard case .success(let again) = written, again.isSame(as: expected) else {
    throw Violation(description: "what was written is not what was read")
  }
}

private func check(
  _ error: JSONError, of text: [UInt8], _ expected: Result<ReferenceJSON, ReferenceJSON.Fault>
) throws(Violation) {
  guard case .failure(let fault) = expected else {
    throw Violation(description: "was refused with \(error), but is JSON")
  }
  let lines = 1 + text.count { $0 == UInt8(ascii: "\n") }
  var fitting: [ReferenceJSON.Fault] = [.bottomless]
  switch error {
  case .malformed(let position):
    fitting += [.malformed]
    try check(position, of: text, lines: lines)
  case .notUTF8(let position):
    fitting += [.malformed]
    try require(String(validating: text, as: UTF8.self) == nil, "is UTF-8")
    try check(position, of: text, lines: lines)
  case .duplicateKey(let position):
    fitting += [.duplicateKey]
    try check(position, of: text, lines: lines)
  case .tooDeep(let depthMax):
    fitting += [.tooDeep]
    try require(depthMax == ReferenceJSON.depthMax, "another limit")
  }
  try require(fitting.contains(fault), "was refused with \(error), but is \(fault)")
}

private func check(
  _ position: JSONPosition, of text: [UInt8], lines: Int
) throws(Violation) {
  try require((1...lines).contains(position.line), "line \(position.line) of \(lines)")
  try require((0...text.count).contains(position.column), "column \(position.column)")
}

extension JSON {
  /// Whether it is the value that the reference read, members in the same order, bytes the same.
  func isSame(as reference: ReferenceJSON) -> Bool {
    switch (self, reference) {
    case (.null, .null), (.integer, .integer), (.decimal, .decimal): true
    case (.boolean(let own), .boolean(let other)): own == other
    case (.string(let own), .string(let other)): own.bytes == other
    case (.array(let own), .array(let other)):
      own.elementsEqual(other) { $0.isSame(as: $1) }
    case (.object(let own), .object(let other)):
      own.elementsEqual(other) { $0.key.bytes == $1.key && $0.value.isSame(as: $1.value) }
    default: false
    }
  }
}

extension JSONWriter {
  /// Writes a whole value; numbers as any of their kind, since a value does not keep them.
  mutating func write(_ json: JSON) {
    switch json {
    case .null: raw("null")
    case .boolean(true): raw("true")
    case .boolean(false): raw("false")
    case .integer: integer(-1)
    case .decimal: raw("1.5")
    case .string(let text): string(text)
    case .array(let elements):
      raw("[")
      for (index, element) in elements.enumerated() {
        if index > 0 { raw(",") }
        write(element)
      }
      raw("]")
    case .object(let members):
      raw("{")
      for (index, member) in members.enumerated() {
        if index > 0 { raw(",") }
        string(member.key)
        raw(":")
        write(member.value)
      }
      raw("}")
    }
  }
}
