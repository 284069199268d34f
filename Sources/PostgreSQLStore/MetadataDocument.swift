internal import Conversations
internal import JSON

extension Metadata {
  /// The set as a JSON object, for a column of type `jsonb`.
  var document: [UInt8] {
    var writer = JSONWriter(capacity: 256)
    var separator: StaticString = "{"
    forEach { key, value in
      writer.raw(separator)
      writer.string(utf8: key)
      writer.raw(":")
      writer.string(utf8: value)
      separator = ","
    }
    writer.raw(isEmpty ? "{}" : "}")
    return writer.bytes
  }

  private var isEmpty: Bool { self == .empty }

  /// Reads the text of a `jsonb` as PostgreSQL writes it.
  ///
  /// - Returns: nil when it is not an object of strings, or breaks a rule.
  init?(document text: Span<UInt8>) {
    guard let pairs = DocumentReader.pairs(of: text) else { return nil }
    var builder = Builder()
    for pair in pairs {
      guard builder.add(key: pair.key.span, value: pair.value.span) else { return nil }
    }
    self = builder.metadata
  }
}

/// Reads the pairs of a `jsonb` object of strings. PostgreSQL writes it in one form only, with a space
/// after each colon and comma, and has checked it; so this is no reader for JSON of others.
private struct DocumentReader {
  private let text: UnsafeBufferPointer<UInt8>
  private var index = 0

  /// The pairs, sorted by key: a `jsonb` has the shorter keys first.
  static func pairs(of text: Span<UInt8>) -> [(key: [UInt8], value: [UInt8])]? {
    text.withUnsafeBufferPointer { text in
      var reader = DocumentReader(text: text)
      guard var pairs = reader.pairs(), reader.index == text.count else { return nil }
      let isSorted = pairs.indices.dropFirst().allSatisfy {
        pairs[$0 - 1].key.lexicographicallyPrecedes(pairs[$0].key)
      }
      if !isSorted { pairs.sort { $0.key.lexicographicallyPrecedes($1.key) } }
      return pairs
    }
  }

  private init(text: UnsafeBufferPointer<UInt8>) {
    self.text = text
  }

  private mutating func pairs() -> [(key: [UInt8], value: [UInt8])]? {
    guard take("{") else { return nil }
    var pairs: [(key: [UInt8], value: [UInt8])] = []
    if take("}") { return pairs }
    repeat {
      skipSpaces()
      guard let key = string(), take(":") else { return nil }
      skipSpaces()
      guard let value = string() else { return nil }
      pairs.append((key, value))
    } while take(",")
    return take("}") ? pairs : nil
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard index < text.count, text[index] == UInt8(ascii: character) else { return false }
    index += 1
    return true
  }

  private mutating func skipSpaces() {
    while index < text.count, text[index] == UInt8(ascii: " ") { index += 1 }
  }

  private mutating func string() -> [UInt8]? {
    guard take("\"") else { return nil }
    var content: [UInt8] = []
    var start = index
    while index < text.count {
      switch text[index] {
      case UInt8(ascii: "\""):
        content.append(contentsOf: text[start..<index])
        index += 1
        return content
      case UInt8(ascii: "\\"):
        content.append(contentsOf: text[start..<index])
        guard let byte = escape() else { return nil }
        content.append(byte)
        start = index
      default:
        index += 1
      }
    }
    return nil
  }

  /// PostgreSQL escapes quotes, backslashes and control characters, and nothing else.
  private mutating func escape() -> UInt8? {
    guard index + 1 < text.count else { return nil }
    defer { index += 2 }
    switch text[index + 1] {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return text[index + 1]
    case UInt8(ascii: "b"): return 0x08
    case UInt8(ascii: "f"): return 0x0c
    case UInt8(ascii: "n"): return 0x0a
    case UInt8(ascii: "r"): return 0x0d
    case UInt8(ascii: "t"): return 0x09
    case UInt8(ascii: "u"):
      guard index + 6 <= text.count else { return nil }
      defer { index += 4 }
      return UInt8(String(decoding: text[index + 2..<index + 6], as: UTF8.self), radix: 16)
    default: return nil
    }
  }
}
