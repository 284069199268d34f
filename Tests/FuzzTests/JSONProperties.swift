import JSON

/// A text is read exactly when the reference reads it, as the same value; and what is read is the
/// same again when it is written and read: as it was sent, compactly, and from its parts.
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
  let space = " \t\r\n".bytes
  let trimmed = Array(text.drop(while: space.contains).reversed().drop(while: space.contains))
  try require(json.text.elementsEqual(trimmed.reversed()), "the text is not what was sent")
  var compact = JSONWriter()
  compact.value(json)
  var parts = JSONWriter()
  parts.write(json) { writer, text in writer.raw(text) }
  try require(compact.bytes == parts.bytes, "compact is not the whole of its parts")
  var strings = JSONWriter()
  strings.write(json) { writer, text in
    if let string = try? JSON(parsing: Array(text)).string {
      writer.string(string)
    } else {
      writer.raw(text)
    }
  }
  for written in [compact, strings] {
    let again = Result { () throws(JSONError) in try JSON(parsing: written.bytes) }
    guard case .success(let again) = again, again.isSame(as: expected) else {
      throw Violation(description: "what was written is not what was read")
    }
  }
}

private func check(
  _ error: JSONError, of text: [UInt8], _ expected: Result<ReferenceJSON, ReferenceJSON.Fault>
) throws(Violation) {
  guard case .failure(let fault) = expected else {
    throw Violation(description: "was refused with \(error), but is JSON")
  }
  let lines = 1 + text.count { $0 == UInt8(ascii: "\n") }
  let fitting: [ReferenceJSON.Fault]
  switch error {
  case .malformed(let position):
    fitting = [.malformed]
    try check(position, of: text, lines: lines)
  case .notUTF8(let position):
    // The reference looks at one fault after the other.
    fitting = [.malformed, .duplicateKey, .tooDeep]
    try require(String(validating: text, as: UTF8.self) == nil, "is UTF-8")
    try check(position, of: text, lines: lines)
  case .duplicateKey(let position):
    fitting = [.duplicateKey]
    try check(position, of: text, lines: lines)
  case .tooDeep(let depthMax):
    fitting = [.tooDeep]
    try require(depthMax == ReferenceJSON.depthMax, "another limit")
  case .tooManyValues(let valuesMax):
    try require(text.count > valuesMax, "has fewer bytes than the limit of values")
    return
  }
  try require(fitting.contains(fault), "was refused with \(error), but is \(fault)")
}

private func check(
  _ position: JSONPosition, of text: [UInt8], lines: Int
) throws(Violation) {
  try require((1...lines).contains(position.line), "line \(position.line) of \(lines)")
  try require((1...text.count + 1).contains(position.column), "column \(position.column)")
}

extension JSON {
  /// Whether it is the value that the reference read, members in the same order, bytes the same.
  func isSame(as reference: ReferenceJSON) -> Bool {
    switch (kind, reference) {
    case (.null, .null), (.integer, .integer), (.decimal, .decimal): true
    case (.boolean, .boolean(let other)): text.elementsEqual("\(other)".utf8)
    case (.string, .string(let other)): string?.bytes == other
    case (.array, .array(let other)):
      elements?.elementsEqual(other) { $0.isSame(as: $1) } == true
    case (.object, .object(let other)):
      members?.elementsEqual(other) {
        $0.key.bytes == $1.key && $0.value.isSame(as: $1.value)
      } == true
    default: false
    }
  }
}

extension JSONWriter {
  /// Writes a whole value from its parts.
  ///
  /// - Parameter leaf: Writes a key, or a value that has no parts.
  mutating func write(
    _ json: JSON, leaf: (inout JSONWriter, ArraySlice<UInt8>) -> Void
  ) {
    if let elements = json.elements {
      raw("[")
      for (index, element) in elements.enumerated() {
        if index > 0 { raw(",") }
        write(element, leaf: leaf)
      }
      raw("]")
    } else if let members = json.members {
      raw("{")
      for (index, member) in members.enumerated() {
        if index > 0 { raw(",") }
        leaf(&self, member.keyText)
        raw(":")
        write(member.value, leaf: leaf)
      }
      raw("}")
    } else {
      leaf(&self, json.text)
    }
  }
}
