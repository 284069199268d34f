/// A JSON value that was read (RFC 8259), as much of it as the service needs to know.
public enum JSON: Sendable {
  /// `null`
  case null
  /// `true` or `false`
  case boolean(Bool)
  /// A number without fraction and exponent. No route reads one, so its value is not kept.
  case integer
  /// A number with a fraction or an exponent. No route reads one, so its value is not kept.
  case decimal
  /// A string, exactly as sent: no normalisation, U+0000 included.
  case string(String)
  /// An array.
  case array([JSON])
  /// An object. Its keys are different from each other and in the order sent.
  case object([(key: String, value: JSON)])
}

/// Why bytes are not a JSON text that the service reads.
public enum JSONError: Error, Equatable, Sendable {
  /// Not JSON, or something follows it, or a BOM precedes it, or a lone surrogate is in it.
  case malformed(at: JSONPosition)
  /// The bytes are not UTF-8.
  case notUTF8(at: JSONPosition)
  /// A key appears twice in one object.
  case duplicateKey(at: JSONPosition)
  /// Arrays and objects inside each other, more than `depthMax` of them.
  case tooDeep(depthMax: Int)
}

/// A place in a JSON text, where the reader noticed what is wrong.
public struct JSONPosition: Equatable, Sendable {
  /// The line, from 1.
  public let line: Int
  /// The column in that line, from 0, in code points.
  public let column: Int
}
