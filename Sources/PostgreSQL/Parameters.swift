/// The parameters `$1`, `$2`, … of one statement, in the order in which they are added, in
/// PostgreSQL's binary form: text crosses with its byte count, and nothing is quoted.
///
/// The server takes each for the type that the statement gives it, so a cast in the SQL decides
/// (`$1::bigint`).
public struct Parameters: Sendable {
  private(set) var bytes: [UInt8] = []
  /// Where each ends; nil for NULL.
  private(set) var ends: [Int?] = []

  /// The types of array elements, by their object identifiers in `pg_type`.
  private enum ElementType: UInt32 {
    case bytea = 17
    case int8 = 20
    case int4 = 23
    case text = 25
    case json = 114
    case jsonb = 3802
  }

  /// No parameters.
  public init() {}

  /// Adds a `bigint`, or NULL for nil.
  public mutating func add(_ value: Int64?) {
    guard let value else { return addNull() }
    append(value)
    ends.append(bytes.count)
  }

  /// Adds an `integer`.
  public mutating func add(int32 value: Int32) {
    append(value)
    ends.append(bytes.count)
  }

  /// Adds a `boolean`.
  public mutating func add(_ value: Bool) {
    bytes.append(value ? 1 : 0)
    ends.append(bytes.count)
  }

  /// Adds a `text`, or NULL for nil.
  public mutating func add(_ value: String?) {
    guard let value else { return addNull() }
    bytes.append(contentsOf: value.utf8)
    ends.append(bytes.count)
  }

  /// Adds a `bytea` or a `uuid`, or NULL for nil.
  public mutating func add(_ value: [UInt8]?) {
    guard let value else { return addNull() }
    bytes.append(contentsOf: value)
    ends.append(bytes.count)
  }

  /// Adds a `bigint[]`.
  public mutating func add(int64s values: some Collection<Int64>) {
    addArray(values, .int8) { $1.append($0) }
  }

  /// Adds an `integer[]`.
  public mutating func add(int32s values: some Collection<Int32>) {
    addArray(values, .int4) { $1.append($0) }
  }

  /// Adds a `text[]`; nil stands for NULL.
  public mutating func add(texts values: some Collection<String?>) {
    addOptionals(values, .text) { $1.bytes.append(contentsOf: $0.utf8) }
  }

  /// Adds a `bytea[]`; nil stands for NULL.
  public mutating func add(byteas values: some Collection<[UInt8]?>) {
    addOptionals(values, .bytea) { $1.bytes.append(contentsOf: $0) }
  }

  /// Adds a `json[]`.
  ///
  /// - Parameter values: JSON texts in UTF-8.
  public mutating func add(jsons values: some Collection<[UInt8]>) {
    addArray(values, .json) { $1.bytes.append(contentsOf: $0) }
  }

  /// Adds a `jsonb[]`.
  ///
  /// - Parameter values: JSON texts in UTF-8.
  public mutating func add(jsonbs values: some Collection<[UInt8]>) {
    addArray(values, .jsonb) {
      // The version of the form.
      $1.bytes.append(1)
      $1.bytes.append(contentsOf: $0)
    }
  }

  private mutating func addNull() {
    ends.append(nil)
  }

  private mutating func addArray<Element>(
    _ values: some Collection<Element>, _ type: ElementType,
    _ encode: (Element, inout Parameters) -> Void
  ) {
    appendHeader(type, count: values.count, hasNulls: false)
    for value in values { appendElement { encode(value, &$0) } }
    ends.append(bytes.count)
  }

  private mutating func addOptionals<Element>(
    _ values: some Collection<Element?>, _ type: ElementType,
    _ encode: (Element, inout Parameters) -> Void
  ) {
    appendHeader(type, count: values.count, hasNulls: true)
    for value in values {
      if let value {
        appendElement { encode(value, &$0) }
      } else {
        append(Int32(-1))
      }
    }
    ends.append(bytes.count)
  }

  /// One dimension, whether NULLs may come, the type, how many, and the index of the first.
  private mutating func appendHeader(_ type: ElementType, count: Int, hasNulls: Bool) {
    append(Int32(1))
    append(Int32(hasNulls ? 1 : 0))
    append(type.rawValue)
    append(Int32(count))
    append(Int32(1))
  }

  private mutating func appendElement(_ body: (inout Parameters) -> Void) {
    let start = bytes.count
    append(Int32(0))
    body(&self)
    let length = UInt32(bytes.count - start - 4)
    for index in 0..<4 {
      bytes[start + index] = UInt8(truncatingIfNeeded: length >> (24 - 8 * index))
    }
  }

  private mutating func append(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
  }
}
