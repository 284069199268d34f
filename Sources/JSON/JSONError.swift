/// Why bytes are not a JSON text that the service reads.
public enum JSONError: Error, Equatable, Sendable {
  /// Not JSON, or something follows it, or a BOM precedes it, or a lone surrogate is in it.
  case malformed(at: JSONPosition)
  /// The bytes are not UTF-8.
  case notUTF8(at: JSONPosition)
  /// A key appears twice in one object; where it ends.
  case duplicateKey(at: JSONPosition)
  /// Arrays and objects inside each other, more than `depthMax` of them.
  case tooDeep(depthMax: Int)
  /// More values than `valuesMax`.
  case tooManyValues(valuesMax: Int)
}

/// The place of a code point in a JSON text; at the end of the text, the place after the last one.
public struct JSONPosition: Equatable, Sendable {
  /// The line, from 1.
  public let line: Int
  /// The column in that line, from 1, in code points.
  public let column: Int

  /// - Parameter offset: The first byte of the code point. What precedes it is UTF-8.
  init(offset: Int, in bytes: [UInt8]) {
    let before = bytes[..<offset]
    let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    line = 1 + before.count { $0 == UInt8(ascii: "\n") }
    column = 1 + before[lineStart...].count { $0 & 0xc0 != 0x80 }
  }
}
