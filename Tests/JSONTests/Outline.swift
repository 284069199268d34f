import JSON

extension JSON {
  /// Reads a text in UTF-8.
  init(_ text: String) throws(JSONError) {
    try self.init(parsing: Array(text.utf8))
  }

  /// The value in a notation of ASCII only, so that two outlines are equal only if the values are:
  /// `#` an integer, `#.#` a decimal, and every other code point than ASCII letters as `<hex>`.
  var outline: String {
    switch kind {
    case .null, .boolean: String(decoding: text, as: UTF8.self)
    case .integer: "#"
    case .decimal: "#.#"
    case .string: Self.outline(string!)
    case .array: "[" + elements!.map(\.outline).joined(separator: ",") + "]"
    case .object:
      "{"
        + members!.map { "\(Self.outline($0.key)):\($0.value.outline)" }.joined(separator: ",")
        + "}"
    }
  }

  /// A string's part of an outline.
  static func outline(_ text: String) -> String {
    "'"
      + text.unicodeScalars.map {
        $0.isASCII && $0.properties.isAlphabetic
          ? String($0) : "<\(String($0.value, radix: 16))>"
      }.joined() + "'"
  }
}

/// The error that reading ends with, and nil when it does not.
func error(parsing bytes: [UInt8]) -> JSONError? {
  do throws(JSONError) {
    _ = try JSON(parsing: bytes)
    return nil
  } catch {
    return error
  }
}

/// The error that reading a text in UTF-8 ends with, and nil when it does not.
func error(parsing text: String) -> JSONError? {
  error(parsing: Array(text.utf8))
}

extension JSONError {
  /// What is wrong, without where.
  var kind: Kind {
    switch self {
    case .malformed: .malformed
    case .notUTF8: .notUTF8
    case .duplicateKey: .duplicateKey
    case .tooDeep: .tooDeep
    case .tooManyValues: .tooManyValues
    }
  }

  /// The cases of `JSONError`.
  enum Kind: Sendable {
    case malformed, notUTF8, duplicateKey, tooDeep, tooManyValues
  }

  /// Where, as `line:column`; empty for an error without a place.
  var place: String {
    switch self {
    case .malformed(let position), .notUTF8(let position), .duplicateKey(let position):
      "\(position.line):\(position.column)"
    case .tooDeep, .tooManyValues: ""
    }
  }
}
