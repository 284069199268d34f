internal import CJansson

extension JSON {
  /// How many arrays and objects may be inside each other.
  public static let depthMax = 64

  /// Reads one JSON text, strictly: UTF-8 without a BOM, nothing after it, no key twice.
  ///
  /// libjansson does the parsing. What it cannot hold (U+0000 in a key, a number out of range) but
  /// RFC 8259 allows is rewritten to something that it can, see `RewrittenJSON`.
  ///
  /// - Parameter bytes: The text.
  /// - Throws: The first fault in the order of the text, save that more than `depthMax` levels are
  ///   noticed after everything else.
  public init(parsing bytes: [UInt8]) throws(JSONError) {
    // libjansson overlooks a byte of 0 after a number or a literal; one of 1 is as illegal in JSON,
    // and is seen in the same place.
    let bytes = bytes.contains(0) ? bytes.map { $0 == 0 ? 1 : $0 } : bytes
    do {
      try self.init(bytes, nulStandIn: nil)
    } catch .unheld {
      let rewritten = RewrittenJSON(bytes)
      do {
        try self.init(rewritten.bytes, nulStandIn: rewritten.nulStandIn)
      } catch {
        throw error.reported
      }
    } catch {
      throw error.reported
    }
  }

  /// - Parameter nulStandIn: The scalar that stands for U+0000 in `bytes`, if any does.
  private init(_ bytes: [UInt8], nulStandIn: Unicode.Scalar?) throws(ParserError) {
    var error = json_error_t()
    let flags = Int(JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL)
    let root = bytes.withUnsafeBytes { buffer in
      buffer.withMemoryRebound(to: CChar.self) { text in
        json_loadb(text.baseAddress, text.count, flags, &error)
      }
    }
    guard let root else { throw ParserError(error) }
    defer { json_decref(root) }
    try self.init(root, depthLeft: Self.depthMax, nulStandIn: nulStandIn)
  }

  private init(
    _ value: UnsafeMutablePointer<json_t>, depthLeft: Int, nulStandIn: Unicode.Scalar?
  ) throws(ParserError) {
    switch conversationd_json_typeof(value) {
    case JSON_OBJECT:
      guard depthLeft > 0 else { throw .reported(.tooDeep(depthMax: Self.depthMax)) }
      var members: [(key: String, value: JSON)] = []
      members.reserveCapacity(json_object_size(value))
      var member = json_object_iter(value)
      while let current = member {
        let key = Self.string(
          json_object_iter_key(current), json_object_iter_key_len(current), nulStandIn)
        let child = json_object_iter_value(current)!
        members.append(
          (key, try JSON(child, depthLeft: depthLeft - 1, nulStandIn: nulStandIn)))
        member = json_object_iter_next(value, current)
      }
      self = .object(members)
    case JSON_ARRAY:
      guard depthLeft > 0 else { throw .reported(.tooDeep(depthMax: Self.depthMax)) }
      var elements: [JSON] = []
      for index in 0..<json_array_size(value) {
        let child = json_array_get(value, index)!
        elements.append(try JSON(child, depthLeft: depthLeft - 1, nulStandIn: nulStandIn))
      }
      self = .array(elements)
    case JSON_STRING:
      self = .string(
        Self.string(json_string_value(value), json_string_length(value), nulStandIn))
    case JSON_INTEGER: self = .integer
    case JSON_REAL: self = .decimal
    case JSON_TRUE: self = .boolean(true)
    case JSON_FALSE: self = .boolean(false)
    default: self = .null
    }
  }

  /// libjansson has checked that the bytes are UTF-8.
  private static func string(
    _ start: UnsafePointer<CChar>?, _ count: Int, _ nulStandIn: Unicode.Scalar?
  ) -> String {
    let text = UnsafeRawBufferPointer(start: start, count: count)
    let string = String(decoding: text, as: UTF8.self)
    guard let nulStandIn, string.unicodeScalars.contains(nulStandIn) else { return string }
    var restored = String.UnicodeScalarView()
    restored.append(
      contentsOf: string.unicodeScalars.lazy.map { $0 == nulStandIn ? "\0" : $0 })
    return String(restored)
  }
}

/// What a run of the parser ended with: an error to report, or a text that it cannot hold.
private enum ParserError: Error {
  case reported(JSONError)
  case unheld(at: JSONPosition)

  /// Kinds come from libjansson's codes, never from its words.
  init(_ error: json_error_t) {
    var error = error
    let position = JSONPosition(line: Int(error.line), column: Int(error.column))
    self =
      switch json_error_code(&error) {
      case json_error_null_byte_in_key, json_error_numeric_overflow: .unheld(at: position)
      case json_error_invalid_utf8: .reported(.notUTF8(at: position))
      case json_error_duplicate_key: .reported(.duplicateKey(at: position))
      case json_error_stack_overflow: .reported(.tooDeep(depthMax: JSON.depthMax))
      default: .reported(.malformed(at: position))
      }
  }

  var reported: JSONError {
    switch self {
    case .reported(let error): error
    case .unheld(let position): .malformed(at: position)
    }
  }
}
