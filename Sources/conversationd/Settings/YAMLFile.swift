import CYAML

/// The settings of a YAML file: what stands in sections, as text. libyaml reads the syntax.
struct YAMLFile {
  /// One setting, `section.name`, and its value.
  struct Entry {
    let key: String
    let value: Value
  }

  enum Value {
    /// A single value, quoted or not.
    case scalar(String)
    /// A list of single values.
    case list([String])
    /// A section without anything in it.
    case emptySection
  }

  /// Settings are two levels deep; what is deeper is reported by its name, up to here.
  private static let depthMax = 8

  /// In the order of the file.
  private(set) var entries: [Entry] = []

  /// - Throws: `YAMLError`.
  init(_ bytes: [UInt8]) throws(YAMLError) {
    let parser = try YAMLParser(bytes)
    try parser.expect(YAML_STREAM_START_EVENT)
    guard case .other(YAML_DOCUMENT_START_EVENT) = try parser.next() else { return }
    switch try parser.next() {
    // A document of comments alone is an empty scalar.
    case .scalar(let text) where text.isEmpty: break
    case .other(YAML_MAPPING_START_EVENT): try readMapping(parser, path: "")
    default: throw .notAMapping
    }
    try parser.expect(YAML_DOCUMENT_END_EVENT)
    guard case .other(YAML_STREAM_END_EVENT) = try parser.next() else {
      throw .malformed("it has more than one document")
    }
  }

  private mutating func readMapping(_ parser: borrowing YAMLParser, path: String) throws(YAMLError)
  {
    var names: Set<String> = []
    while true {
      switch try parser.next() {
      case .other(YAML_MAPPING_END_EVENT):
        if names.isEmpty, !path.isEmpty { entries.append(Entry(key: path, value: .emptySection)) }
        return
      case .scalar(let name):
        guard names.insert(name).inserted else { throw .malformed("'\(name)' appears twice") }
        // `http.port: 1` would be a second way to say `http: {port: 1}`, and hide it or be hidden.
        guard !name.contains(".") else { throw .dotted(path.isEmpty ? name : "\(path).\(name)") }
        try readValue(parser, path: path.isEmpty ? name : "\(path).\(name)")
      default: throw .malformed("a name must be a single value")
      }
    }
  }

  private mutating func readValue(_ parser: borrowing YAMLParser, path: String) throws(YAMLError) {
    switch try parser.next() {
    case .scalar(let text): entries.append(Entry(key: path, value: .scalar(text)))
    case .other(YAML_MAPPING_START_EVENT):
      guard path.split(separator: ".").count < Self.depthMax else {
        throw .malformed("more than \(Self.depthMax) levels")
      }
      try readMapping(parser, path: path)
    case .other(YAML_SEQUENCE_START_EVENT):
      var list: [String] = []
      while true {
        switch try parser.next() {
        case .scalar(let text): list.append(text)
        case .other(YAML_SEQUENCE_END_EVENT):
          entries.append(Entry(key: path, value: .list(list)))
          return
        default: throw .malformed("'\(path)' must be a list of single values")
        }
      }
    default: throw .malformed("aliases are not supported")
    }
  }
}

/// Why the settings of a file cannot be read.
enum YAMLError: Error {
  /// It is not YAML, or uses what settings do not need; why, for people.
  case malformed(String)
  /// It is something else than a mapping of names.
  case notAMapping
  /// A name with a dot in it; the whole key.
  case dotted(String)
}

/// Reads a YAML text event by event.
///
/// libyaml keeps a pointer to the text and to itself, so both stay at one address.
private struct YAMLParser: ~Copyable {
  private let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
  private let text: UnsafeMutableBufferPointer<UInt8>

  /// What comes next in the text.
  enum Event {
    case scalar(String)
    case other(yaml_event_type_t)
  }

  init(_ bytes: [UInt8]) throws(YAMLError) {
    text = .allocate(capacity: bytes.count)
    _ = text.initialize(from: bytes)
    guard yaml_parser_initialize(parser) == 1 else { preconditionFailure("no memory for YAML") }
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    yaml_parser_set_input_string(parser, text.baseAddress, text.count)
  }

  deinit {
    yaml_parser_delete(parser)
    parser.deallocate()
    text.deallocate()
  }

  /// - Throws: `.malformed`.
  func next() throws(YAMLError) -> Event {
    var event = yaml_event_t()
    guard yaml_parser_parse(parser, &event) == 1 else { throw .malformed(problem) }
    defer { yaml_event_delete(&event) }
    guard event.type == YAML_SCALAR_EVENT else { return .other(event.type) }
    let scalar = event.data.scalar
    return .scalar(
      String(
        decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self))
  }

  func expect(_ type: yaml_event_type_t) throws(YAMLError) {
    guard case .other(type) = try next() else { throw .malformed("it ends unexpectedly") }
  }

  /// libyaml's words for what is wrong, and where.
  private var problem: String {
    let problem = parser.pointee.problem.map { String(cString: $0) } ?? "it cannot be read"
    let mark = parser.pointee.problem_mark
    return "line \(mark.line + 1), column \(mark.column + 1): \(problem)"
  }
}
