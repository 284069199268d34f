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
    let mark = rest.utf8.firstIndex(of: UInt8(ascii: "?"))
    let path = rest[..<(mark ?? rest.endIndex)]
    self.path = path.isEmpty ? "/" : String(path)
    query = mark.map { String(rest[rest.utf8.index(after: $0)...]) }
  }

  private static func scheme(of raw: Substring) -> String? {
    ["http://", "https://"].first { raw.prefix($0.count).lowercased() == $0 }
  }

  /// The path's segments, decoded; `/a%2Fb/` has two, `a/b` and an empty one.
  ///
  /// - Throws: The first segment that cannot be decoded.
  public func pathSegments() throws(PercentDecodingError) -> [String] {
    var segments: [String] = []
    let slash = UInt8(ascii: "/")
    let rest = path.utf8.first == slash ? path.utf8.dropFirst() : path.utf8[...]
    for segment in rest.split(separator: slash, omittingEmptySubsequences: false) {
      segments.append(try String(percentDecoding: Substring(segment)))
    }
    return segments
  }

  /// The query's parameters in the order sent, decoded as browsers and HTTP clients encode them
  /// (application/x-www-form-urlencoded: `+` is a space). A name without `=` has an empty value.
  ///
  /// - Throws: The first name or value that cannot be decoded.
  public func queryParameters() throws(PercentDecodingError) -> [(name: String, value: String)] {
    var parameters: [(name: String, value: String)] = []
    for part in (query ?? "").utf8.split(separator: UInt8(ascii: "&")) {
      let halves = part.split(
        separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      let name = try String(percentDecoding: Substring(halves[0]), plusIsSpace: true)
      do {
        let value = halves.count > 1 ? Substring(halves[1]) : ""
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
  init(percentDecoding text: Substring, plusIsSpace: Bool = false) throws(PercentDecodingError) {
    guard text.utf8.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else {
      self = String(text)
      return
    }
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "+") where plusIsSpace:
        bytes.append(UInt8(ascii: " "))
      case UInt8(ascii: "%"):
        let digits = Substring(rest.prefix(2))
        // UInt8's own reader would take a sign.
        guard digits.utf8.count == 2, digits.allSatisfy(\.isHexDigit),
          let decoded = UInt8(digits, radix: 16)
        else { throw PercentDecodingError(sequence: "%\(digits)", parameter: nil) }
        bytes.append(decoded)
        rest = rest.dropFirst(2)
      default:
        bytes.append(byte)
      }
    }
    guard let decoded = String(validating: bytes, as: UTF8.self) else {
      throw PercentDecodingError(sequence: String(text), parameter: nil)
    }
    self = decoded
  }
}
