/// A JSON text that was read: its bytes, and for each value in it where it is.
final class JSONDocument: Sendable {
  let bytes: [UInt8]
  /// Every value and every key, in the order of the text; the first is the whole.
  let nodes: [JSONNode]

  init(bytes: [UInt8], nodes: [JSONNode]) {
    self.bytes = bytes
    self.nodes = nodes
  }
}

/// A value, or the key of a member, as a place in the text. It has 16 bytes, so that a text of the
/// most values needs 4 MiB of them.
struct JSONNode {
  let kind: JSON.Kind
  /// Whether it is a string with an escape in it.
  let hasEscapes: Bool
  private let start: UInt32
  private var end: UInt32
  private var following: UInt32

  /// A node that holds no others so far.
  ///
  /// - Parameters:
  ///   - number: Its own.
  ///   - range: Its bytes. A text has less than 4 GiB.
  init(_ kind: JSON.Kind, number: Int, _ range: Range<Int>, hasEscapes: Bool = false) {
    self.kind = kind
    self.hasEscapes = hasEscapes
    start = UInt32(range.lowerBound)
    end = UInt32(range.upperBound)
    following = UInt32(number + 1)
  }

  /// Its bytes in the text, the quotes of a string included.
  var range: Range<Int> { Int(start)..<Int(end) }

  /// The number of the first node that is not in it. A member's value is in its key.
  var next: Int { Int(following) }

  /// Says where an array or object ends in the text and among the nodes, once that is known.
  mutating func close(at end: Int, next: Int) {
    self.end = UInt32(end)
    following = UInt32(next)
  }

  /// Says where the value of a key ends among the nodes.
  mutating func close(next: Int) {
    following = UInt32(next)
  }

  /// What the string says, in UTF-8.
  ///
  /// - Parameter bytes: The text.
  func content(in bytes: [UInt8]) -> ArraySlice<UInt8> {
    let content = bytes[range].dropFirst().dropLast()
    guard hasEscapes else { return content }
    var unescaped: [UInt8] = []
    unescaped.reserveCapacity(content.count)
    var index = content.startIndex
    while let backslash = content[index...].firstIndex(of: UInt8(ascii: "\\")) {
      unescaped.append(contentsOf: content[index..<backslash])
      guard let escape = JSONEscape(in: bytes, at: backslash) else {
        preconditionFailure("the reader took an escape that is none")
      }
      unescaped.append(contentsOf: UTF8.encode(escape.scalar)!)
      index = escape.end
    }
    unescaped.append(contentsOf: content[index...])
    return unescaped[...]
  }
}
