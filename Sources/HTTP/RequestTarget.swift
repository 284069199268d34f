internal import Glibc

/// What a request asks for (RFC 9112, section 3.2): origin form, or absolute form as proxies send it.
///
/// Everything stays percent-encoded until it is taken apart, so that `%2F` and `%26` are data.
public struct RequestTarget: Sendable {
  /// The target as sent.
  private let bytes: [UInt8]
  /// Where the path is; empty for the path `/`.
  private let pathRange: Range<Int>
  /// Where the path begins with an absolute form; 0 otherwise.
  private let authorityStart: Int

  /// - Parameter raw: The target as sent.
  public init(_ raw: String) {
    self.init(Array(raw.utf8))
  }

  /// - Parameter raw: The target as sent. It may hold any byte but NUL; those that are not UTF-8 are kept
  ///   percent-encoded, and decoding the part they are in fails as it should.
  init(_ raw: UnsafePointer<CChar>) {
    let bytes = UnsafeRawBufferPointer(start: raw, count: strlen(raw))
    var bits: UInt8 = 0
    for index in bytes.indices { bits |= bytes[index] }
    if bits < 0x80 || String(validatingCString: raw) != nil {
      self.init(Array(bytes))
    } else {
      let text = bytes.map { byte in
        byte < 0x80 ? String(UnicodeScalar(byte)) : "%" + String(byte, radix: 16)
      }
      self.init(Array(text.joined().utf8))
    }
  }

  private init(_ bytes: [UInt8]) {
    self.bytes = bytes
    authorityStart = bytes.first == UInt8(ascii: "/") ? 0 : Self.schemeCount(of: bytes)
    var start = authorityStart
    if start > 0 {
      start =
        bytes[start...].firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") }
        ?? bytes.count
    }
    let end = bytes.span.extracting(start...).firstIndex(of: UInt8(ascii: "?"))
    pathRange = start..<(end.map { start + $0 } ?? bytes.count)
  }

  private static func schemeCount(of bytes: [UInt8]) -> Int {
    let start = String(decoding: bytes.prefix(8), as: UTF8.self).lowercased()
    return ["http://", "https://"].first { start.hasPrefix($0) }?.utf8.count ?? 0
  }

  /// The host and port of an absolute form, which then counts instead of the `Host` field.
  public var authority: String? {
    authorityStart == 0 ? nil : text(authorityStart..<pathRange.lowerBound)
  }

  /// The path, percent-encoded.
  public var path: String { pathRange.isEmpty ? "/" : text(pathRange) }

  /// What follows the first `?`, percent-encoded; nil without one.
  public var query: String? {
    hasQuery ? text(pathRange.upperBound + 1..<bytes.count) : nil
  }

  /// Whether there is a `?`.
  public var hasQuery: Bool { pathRange.upperBound < bytes.count }

  /// Whether the path begins with a slash, as that of each request but `OPTIONS *` should.
  public var isAbsolutePath: Bool {
    pathRange.isEmpty || bytes[pathRange.lowerBound] == UInt8(ascii: "/")
  }

  private func text(_ range: Range<Int>) -> String {
    String(decoding: bytes[range], as: UTF8.self)
  }

  /// The segments of a path, decoded; `/a%2Fb/` has two, `a/b` and an empty one.
  public struct PathSegments: RandomAccessCollection, Sendable {
    private var bytes: [UInt8]
    private var ranges: [Range<Int>] = []

    fileprivate init(_ bytes: [UInt8], in range: Range<Int>) throws(PercentDecodingError) {
      self.bytes = bytes
      ranges.reserveCapacity(6)
      let slash = UInt8(ascii: "/")
      let path = bytes.span.extracting(..<range.upperBound)
      var start = range.lowerBound
      if !range.isEmpty, path[start] == slash { start += 1 }
      while let count = path.extracting(start...).firstIndex(of: slash) {
        ranges.append(start..<start + count)
        start += count + 1
      }
      ranges.append(start..<path.count)
      if path.firstIndex(of: UInt8(ascii: "%")) != nil { try decode() }
    }

    private mutating func decode() throws(PercentDecodingError) {
      let encoded = bytes
      bytes = []
      for index in ranges.indices {
        let start = bytes.count
        bytes += try String(percentDecoding: encoded.span.extracting(ranges[index])).utf8
        ranges[index] = start..<bytes.count
      }
    }

    /// 0, where the first is.
    public var startIndex: Int { 0 }
    /// How many there are; at least one.
    public var endIndex: Int { ranges.count }
    /// A segment as a string.
    public subscript(index: Int) -> String { String(decoding: bytes[ranges[index]], as: UTF8.self) }

    /// Whether a segment has no characters.
    public func isEmpty(at index: Int) -> Bool { ranges[index].isEmpty }

    /// Whether a segment has these bytes.
    public func isSame(at index: Int, as other: Span<UInt8>) -> Bool {
      guard ranges[index].count == other.count else { return false }
      let bytes = bytes.span.extracting(ranges[index])
      for index in bytes.indices where bytes[index] != other[index] { return false }
      return true
    }
  }

  /// The path's segments, decoded.
  ///
  /// - Throws: The first segment that cannot be decoded.
  public func pathSegments() throws(PercentDecodingError) -> PathSegments {
    try PathSegments(bytes, in: pathRange)
  }

  /// The query's parameters in the order sent, decoded as browsers and HTTP clients encode them
  /// (application/x-www-form-urlencoded: `+` is a space). A name without `=` has an empty value.
  ///
  /// - Throws: The first name or value that cannot be decoded.
  public func queryParameters() throws(PercentDecodingError) -> [(name: String, value: String)] {
    var parameters: [(name: String, value: String)] = []
    let query = query ?? ""
    let bytes = query.utf8Span.span
    var start = 0
    while start < bytes.count {
      let rest = bytes.extracting(start...)
      let part = rest.extracting(..<(rest.firstIndex(of: UInt8(ascii: "&")) ?? rest.count))
      start += part.count + 1
      if part.isEmpty { continue }
      let nameCount = part.firstIndex(of: UInt8(ascii: "=")) ?? part.count
      let name = try String(percentDecoding: part.extracting(..<nameCount), plusIsSpace: true)
      do {
        let value = part.extracting(min(nameCount + 1, part.count)...)
        parameters.append((name, try String(percentDecoding: value, plusIsSpace: true)))
      } catch {
        throw PercentDecodingError(sequence: error.sequence, parameter: name)
      }
    }
    return parameters
  }
}

/// A `%` sequence that is broken, or that does not decode to UTF-8.
public struct PercentDecodingError: Error, Equatable, Sendable {
  /// The sequence, or the whole part whose bytes are not UTF-8, as sent.
  public let sequence: String
  /// The query parameter whose value it is in, if it is in one.
  public let parameter: String?
}

extension String {
  /// - Throws: `sequence`, when a `%` is not followed by two hexadecimal digits or the bytes are not
  ///   UTF-8.
  init(
    percentDecoding text: Span<UInt8>, plusIsSpace: Bool = false
  ) throws(PercentDecodingError) {
    let isEncoded = text.firstIndex(of: UInt8(ascii: "%")) != nil
    guard isEncoded || (plusIsSpace && text.firstIndex(of: UInt8(ascii: "+")) != nil) else {
      self.init(text)
      return
    }
    var bytes: [UInt8] = []
    var index = 0
    while index < text.count {
      switch text[index] {
      case UInt8(ascii: "+") where plusIsSpace:
        bytes.append(UInt8(ascii: " "))
        index += 1
      case UInt8(ascii: "%"):
        // Two bytes may end within a character, which is not shown then.
        let digits = String(text.extracting((index + 1)..<Swift.min(index + 3, text.count)))
          .prefix { $0 != "\u{FFFD}" }
        // UInt8's own reader would take a sign.
        guard digits.utf8.count == 2, digits.allSatisfy(\.isHexDigit),
          let decoded = UInt8(digits, radix: 16)
        else { throw PercentDecodingError(sequence: "%\(digits)", parameter: nil) }
        bytes.append(decoded)
        index += 3
      default:
        bytes.append(text[index])
        index += 1
      }
    }
    guard let decoded = String(validating: bytes, as: UTF8.self) else {
      throw PercentDecodingError(sequence: String(text), parameter: nil)
    }
    self = decoded
  }

  fileprivate init(_ text: Span<UInt8>) {
    self = text.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
  }
}

extension Span<UInt8> {
  fileprivate func firstIndex(of byte: UInt8) -> Int? {
    withUnsafeBytes { bytes in
      guard let start = bytes.baseAddress, let found = memchr(start, Int32(byte), bytes.count)
      else { return nil }
      return UnsafeRawPointer(found) - start
    }
  }
}
