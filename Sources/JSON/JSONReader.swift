extension JSON {
  /// How many arrays and objects may be inside each other.
  public static let depthMax = 64

  /// How many values a text may have, counted as the `,` `:` `[` `{` outside strings: few bytes
  /// must not fill much memory.
  public static let valuesMax = 262_144

  /// Reads one JSON text, strictly: UTF-8 without a BOM, nothing after it, no key twice.
  ///
  /// - Parameters:
  ///   - bytes: The text, less than 4 GiB.
  ///   - valuesMax: How many values it may have, where that is not the usual number.
  /// - Throws: `.notUTF8`, or else the first fault in the order of the text.
  public init(
    parsing bytes: [UInt8], valuesMax: Int = JSON.valuesMax
  ) throws(JSONError) {
    do {
      _ = try UTF8Span(validating: bytes.span)
    } catch {
      throw .notUTF8(at: JSONPosition(offset: error.byteOffsets.lowerBound, in: bytes))
    }
    var scanner = JSONScanner(bytes, valuesMax: valuesMax)
    self.init(
      document: JSONDocument(bytes: bytes, nodes: try scanner.nodesOfText()), number: 0)
  }
}
