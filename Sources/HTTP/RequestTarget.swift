/// What a request asks for (RFC 9112, section 3.2): origin form, or absolute form as proxies send it.
///
/// Everything stays percent-encoded until it is taken apart, so that `%2F` and `%26` are data.
public struct RequestTarget: Sendable {
  /// The host and port of an absolute form, which then counts instead of the `Host` field.
  public let authority: String?
  /// The path, percent-encoded.
  public let path: String
  /// What follows the first `?`, percent-encoded; nil without one.
  public let query: String?

  /// - Parameter raw: The target as sent.
  public init(_ raw: String) {
    var rest = Substring(raw)
    let scheme = rest.utf8.first == UInt8(ascii: "/") ? nil : Self.scheme(of: rest)
    if let scheme {
      rest = rest.dropFirst(scheme.count)
      let end = rest.utf8.firstIndex { "/?".utf8.contains($0) } ?? rest.endIndex
      authority = String(rest[..<end])
      rest = rest[end...]
    } else {
      authority = nil
    }
    let bytes = rest.utf8Span.span
    let mark = bytes.firstIndex(of: UInt8(ascii: "?"))
    query = mark.map { String(bytes.extracting(($0 + 1)...)) }
    path = rest.isEmpty || mark == 0 ? "/" : String(bytes.extracting(..<(mark ?? bytes.count)))
  }

  private static func scheme(of raw: Substring) -> String? {
    ["http://", "https://"].first { raw.prefix($0.count).lowercased() == $0 }
  }

  /// The path's segments, decoded; `/a%2Fb/` has two, `a/b` and an empty one.
  ///
  /// - Throws: The first segment that cannot be decoded.
  public func pathSegments() throws(PercentDecodingError) -> [String] {
    var segments: [String] = []
    segments.reserveCapacity(4)
    // The bytes in place: each request comes here, and views of a string cost ten times as much.
    let bytes = path.utf8Span.span
    let slash = UInt8(ascii: "/")
    var start = bytes[0] == slash ? 1 : 0
    for index in start...bytes.count where index == bytes.count || bytes[index] == slash {
      segments.append(try String(percentDecoding: bytes.extracting(start..<index)))
      start = index + 1
    }
    return segments
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
    for index in indices where self[index] == byte { return index }
    return nil
  }
}
