/// A JSON value that was read (RFC 8259): a view of its place in the text, which it keeps in memory.
public struct JSON: Sendable {
  let document: JSONDocument
  /// The number of its node.
  let number: Int

  private var node: JSONNode { document.nodes[number] }

  /// What a value is.
  public enum Kind: Sendable {
    /// `null`
    case null
    /// `true` or `false`
    case boolean
    /// A number without fraction and exponent, of any size.
    case integer
    /// A number with a fraction or an exponent, of any size.
    case decimal
    /// A string.
    case string
    /// An array.
    case array
    /// An object.
    case object
  }

  /// What it is.
  public var kind: Kind { node.kind }

  /// Its bytes as they were sent, without the whitespace around it.
  public var text: ArraySlice<UInt8> { document.bytes[node.range] }

  /// What a string says, without normalisation; nil if it is no string.
  public var string: String? {
    guard kind == .string else { return nil }
    return String(decoding: node.content(in: document.bytes), as: UTF8.self)
  }

  /// The elements of an array; nil if it is none.
  public var elements: [JSON]? {
    guard kind == .array else { return nil }
    return children.map { JSON(document: document, number: $0) }
  }

  /// The members of an object, in the order sent, their keys different; nil if it is none.
  public var members: [Member]? {
    guard kind == .object else { return nil }
    return children.map { Member(document: document, number: $0) }
  }

  /// The value of an object's member; nil if it has no such key, or if this is no object.
  ///
  /// - Parameter key: Compared as UTF-8 bytes. The search goes through the members.
  public subscript(key: String) -> JSON? {
    guard kind == .object else { return nil }
    let members = children.lazy.map { Member(document: document, number: $0) }
    return members.first { $0.hasKey(key) }?.value
  }

  /// The numbers of its elements, or of its members' keys.
  private var children: some Sequence<Int> {
    let end = node.next
    return sequence(first: number + 1) { document.nodes[$0].next }.prefix { $0 < end }
  }

  /// Writes the value as it was sent, whitespace outside strings aside.
  public func appendCompact(to bytes: inout [UInt8]) {
    var start = node.range.lowerBound
    func appendPunctuation(before end: Int) {
      for byte in document.bytes[start..<end] where !JSONScanner.isSpace(byte) {
        bytes.append(byte)
      }
    }
    for node in document.nodes[number..<node.next] where node.kind != .array && node.kind != .object
    {
      appendPunctuation(before: node.range.lowerBound)
      bytes.append(contentsOf: document.bytes[node.range])
      start = node.range.upperBound
    }
    appendPunctuation(before: node.range.upperBound)
  }
}

extension JSON {
  /// A key and its value.
  public struct Member: Sendable {
    let document: JSONDocument
    /// The number of the key's node; the value's follows.
    let number: Int

    private var node: JSONNode { document.nodes[number] }

    /// The key, without normalisation.
    public var key: String { String(decoding: node.content(in: document.bytes), as: UTF8.self) }

    /// The bytes of the key as they were sent, with its quotes.
    public var keyText: ArraySlice<UInt8> { document.bytes[node.range] }

    /// The value.
    public var value: JSON { JSON(document: document, number: number + 1) }

    /// Whether its key has the same UTF-8 bytes.
    public func hasKey(_ key: String) -> Bool {
      node.content(in: document.bytes).elementsEqual(key.utf8)
    }
  }
}
