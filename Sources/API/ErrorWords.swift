internal import JSON
internal import Repository

// The words of an error's message that depend on what is wrong.

extension ErrorResponse {
  static func message(_ error: JSONError) -> String {
    switch error {
    case .malformed(let position):
      "Invalid body: failed to parse JSON value. Please check the value to ensure it is valid "
        + "JSON. (Noticed at \(shown(position)).)"
    case .notUTF8(let position):
      "Invalid body: not valid UTF-8. (Noticed at \(shown(position)).)"
    case .duplicateKey(let position):
      "Invalid body: duplicate JSON key. It ends at \(shown(position)). "
        + "Duplicate JSON keys are not supported."
    case .tooDeep(let depthMax):
      "Invalid body: JSON nested too deep. The limit is \(depthMax) levels."
    case .tooManyValues(let valuesMax):
      "Invalid body: too many JSON values. The limit is \(valuesMax) values."
    }
  }

  static func message(_ reason: RepositoryError.Unavailability) -> String {
    switch reason {
    case .queueFull(let writesMax): "Too many writes are waiting (\(writesMax))."
    case .locked: "The database is locked by another process."
    case .diskFailed: "The server's disk reported an error."
    case .unreachable: "The database cannot be reached."
    case .noMemory: "The server has no memory for the request at the moment."
    case .spaceShort(let bytesFree, _): "The server's disk has \(bytesFree) bytes left."
    case .fileGone: "The database file was deleted or replaced while the server runs."
    case .closed: "The server is shutting down."
    }
  }

  static func shown(_ position: JSONPosition) -> String {
    "line \(position.line), column \(position.column)"
  }

  /// What is longer than most, as a key over 20 characters, is shown by its ends.
  static func shown(_ text: String, over limit: Int = 20) -> String {
    let scalars = text.unicodeScalars
    guard scalars.count > limit else { return text }
    return "\(String(scalars.prefix(3)))...\(String(scalars.suffix(3)))"
  }

  /// An API key by its ends; a short one not at all.
  static func masked(_ key: String) -> String {
    let scalars = key.unicodeScalars
    guard scalars.count >= 16 else { return "***" }
    return "\(String(scalars.prefix(6)))***\(String(scalars.suffix(4)))"
  }

  /// `'a' or 'b'`, `'a', 'b', or 'c'`
  static func choices(_ words: [String], _ conjunction: String) -> String {
    let quoted = words.map { "'\($0)'" }
    guard quoted.count > 2 else { return quoted.joined(separator: " \(conjunction) ") }
    return quoted.dropLast().joined(separator: ", ") + ", \(conjunction) "
      + quoted[quoted.count - 1]
  }

  /// What a query parameter would be in JSON; its value is always text.
  static func kind(_ text: String) -> String {
    let json = try? JSON(parsing: Array(text.utf8))
    return kind(json?.kind == .decimal ? .decimal : .string)
  }

  static func kind(_ kind: JSON.Kind) -> String {
    switch kind {
    case .null: "null"
    case .boolean: "a boolean"
    case .integer: "an integer"
    case .decimal: "a decimal number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}
