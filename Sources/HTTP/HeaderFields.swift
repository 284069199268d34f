public import HTTPTypes

/// The header fields of a request or an answer, in the order sent.
///
/// All of them are one block of bytes, and a field becomes a string when somebody asks for it: most of
/// what clients send is never looked at. (`HTTPFields` makes two strings and an index entry of each.)
///
/// `@unchecked Sendable` because the block changes only while one value alone has it.
public struct HeaderFields: @unchecked Sendable {
  private var block = HeaderBlock.make(capacity: HeaderBlock.usualBytes)

  /// No fields.
  public init() {}

  /// Adds a field.
  public mutating func append(_ field: HTTPField) {
    append(field.name, field.value)
  }

  /// Adds a field.
  ///
  /// - Parameter value: Without a NUL or a line end.
  public mutating func append(_ name: HTTPField.Name, _ value: String) {
    name.rawName.utf8Span.span.withUnsafeBytes { name in
      value.utf8Span.span.withUnsafeBytes { append(name: name, value: $0) }
    }
  }

  /// Adds the fields of another block.
  public mutating func append(contentsOf other: HeaderFields) {
    other.block.withBytes {
      makeRoom(for: $0.count).copyMemory(from: $0.baseAddress!, byteCount: $0.count)
    }
  }

  /// Adds a field of which the name is a token (RFC 9110, section 5.6.2). In the value a NUL or a line end
  /// becomes a space, and the spaces around it go (section 5.5).
  mutating func append(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
    var (first, end) = (0, value.count)
    while first < end, Self.isSpace(value[first]) { first += 1 }
    while first < end, Self.isSpace(value[end - 1]) { end -= 1 }
    let count = end - first
    let start = makeRoom(for: HeaderBlock.lengthsBytes + name.count + 1 + count + 1)
    start.storeBytes(of: UInt32(count), as: UInt32.self)
    start.storeBytes(of: UInt16(name.count), toByteOffset: 4, as: UInt16.self)
    let nameStart = start + HeaderBlock.lengthsBytes
    if let bytes = name.baseAddress { nameStart.copyMemory(from: bytes, byteCount: name.count) }
    nameStart.storeBytes(of: 0, toByteOffset: name.count, as: UInt8.self)
    let valueStart = nameStart + name.count + 1
    let kept = UnsafeRawBufferPointer(rebasing: value[first..<end])
    if let bytes = kept.baseAddress { valueStart.copyMemory(from: bytes, byteCount: count) }
    valueStart.storeBytes(of: 0, toByteOffset: count, as: UInt8.self)
    guard Self.hasUnsafeByte(kept) else { return }
    for (index, byte) in kept.enumerated() where Self.isUnsafe(byte) {
      valueStart.storeBytes(of: UInt8(ascii: " "), toByteOffset: index, as: UInt8.self)
    }
  }

  private static func isUnsafe(_ byte: UInt8) -> Bool { byte == 0 || byte == 10 || byte == 13 }

  /// Looks at all bytes, which takes the processor less time than to stop at one.
  private static func hasUnsafeByte(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var found = false
    for index in bytes.indices { found = isUnsafe(bytes[index]) || found }
    return found
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
  }

  /// Makes the block longer.
  ///
  /// - Returns: Where the new bytes are.
  private mutating func makeRoom(for count: Int) -> UnsafeMutableRawPointer {
    let size = block.size
    if size.used + count > size.capacity || !isKnownUniquelyReferenced(&block) {
      block = block.copy(
        capacity: Swift.max(2 * size.used, size.used + count, HeaderBlock.usualBytes))
    }
    return block.withUnsafeMutablePointers { size, bytes in
      defer { size.pointee.used += count }
      return UnsafeMutableRawPointer(bytes) + size.pointee.used
    }
  }

  /// The value of a field, or those of all fields of that name joined by commas (RFC 9110, section 5.3).
  /// Setting it takes the place of all of them.
  public subscript(name: HTTPField.Name) -> String? {
    get {
      block.withBytes { block in
        guard var place = block.firstField(at: 0, named: name) else { return nil }
        var text = block.value(at: place).text
        while let next = block.firstField(at: block.end(of: place), named: name) {
          text += (name == .cookie ? "; " : ", ") + block.value(at: next).text
          place = next
        }
        return text
      }
    }
    set {
      var others = HeaderFields()
      forEach { candidate, value in
        if !candidate.isSame(as: name.canonicalName) {
          others.append(name: candidate, value: value)
        }
      }
      if let newValue { others.append(name, newValue) }
      self = others
    }
  }

  /// Whether there is a field of that name.
  public func contains(_ name: HTTPField.Name) -> Bool {
    block.withBytes { $0.firstField(at: 0, named: name) != nil }
  }

  /// Calls a function with the bytes of each name and value, behind each of which there is a NUL.
  func forEach(_ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void) {
    block.withBytes { block in
      var place = 0
      while place < block.count {
        body(block.name(at: place), block.value(at: place))
        place = block.end(of: place)
      }
    }
  }
}

/// The bytes of fields. Of each field: the bytes of its value (4) and of its name (2), the name, NUL, the
/// value, NUL.
///
/// The size is read and written in place: as a property, each use of it would be noted, to find out
/// whether two overlap (exclusive access to memory).
private final class HeaderBlock: ManagedBuffer<HeaderBlock.Size, UInt8> {
  struct Size {
    /// How many bytes there are.
    var used: Int
    /// For how many there is room.
    let capacity: Int
  }

  static let lengthsBytes = 6
  /// Enough for the fields of most requests and answers.
  static let usualBytes = 512

  static func make(capacity: Int) -> HeaderBlock {
    let block = create(minimumCapacity: capacity) { _ in Size(used: 0, capacity: capacity) }
    return unsafeDowncast(block, to: HeaderBlock.self)
  }

  var size: Size { withUnsafeMutablePointerToHeader { $0.pointee } }

  func copy(capacity: Int) -> HeaderBlock {
    let copy = Self.make(capacity: capacity)
    withUnsafeMutablePointers { size, bytes in
      copy.withUnsafeMutablePointers { newSize, newBytes in
        newSize.pointee.used = size.pointee.used
        newBytes.update(from: bytes, count: size.pointee.used)
      }
    }
    return copy
  }

  func withBytes<Value>(_ body: (UnsafeRawBufferPointer) -> Value) -> Value {
    withUnsafeMutablePointers { size, bytes in
      body(UnsafeRawBufferPointer(start: bytes, count: size.pointee.used))
    }
  }
}

/// The fields of a block; a place is where one begins.
extension UnsafeRawBufferPointer {
  fileprivate func name(at place: Int) -> UnsafeRawBufferPointer {
    let count = Int(loadUnaligned(fromByteOffset: place + 4, as: UInt16.self))
    let start = place + HeaderBlock.lengthsBytes
    return UnsafeRawBufferPointer(rebasing: self[start..<start + count])
  }

  fileprivate func value(at place: Int) -> UnsafeRawBufferPointer {
    let end = end(of: place)
    let count = Int(loadUnaligned(fromByteOffset: place, as: UInt32.self))
    return UnsafeRawBufferPointer(rebasing: self[end - 1 - count..<end - 1])
  }

  fileprivate func end(of place: Int) -> Int {
    place + HeaderBlock.lengthsBytes
      + Int(loadUnaligned(fromByteOffset: place + 4, as: UInt16.self)) + 1
      + Int(loadUnaligned(fromByteOffset: place, as: UInt32.self)) + 1
  }

  /// - Returns: The place of the first field of that name, from a place on.
  fileprivate func firstField(at start: Int, named name: HTTPField.Name) -> Int? {
    let name = name.canonicalName.utf8Span.span
    var place = start
    while place < count {
      if self.name(at: place).isSame(as: name) { return place }
      place = end(of: place)
    }
    return nil
  }
}

extension HeaderFields: ExpressibleByDictionaryLiteral {
  /// Names and values, in their order.
  public init(dictionaryLiteral elements: (HTTPField.Name, String)...) {
    for (name, value) in elements { append(name, value) }
  }
}

extension HeaderFields: Sequence {
  /// The fields one by one, as strings.
  public func makeIterator() -> IndexingIterator<[HTTPField]> {
    var fields: [HTTPField] = []
    forEach { name, value in
      guard let name = HTTPField.Name(String(decoding: name, as: UTF8.self)) else {
        preconditionFailure("a name that is no token")
      }
      fields.append(HTTPField(name: name, value: value.text))
    }
    return fields.makeIterator()
  }
}

extension UnsafeRawBufferPointer {
  /// Whether the bytes are a name in lower case, whatever the case of their letters.
  func isSame(as name: String) -> Bool { isSame(as: name.utf8Span.span) }

  /// Whether the bytes are a name in lower case, whatever the case of their letters.
  fileprivate func isSame(as name: Span<UInt8>) -> Bool {
    guard count == name.count else { return false }
    for index in indices {
      let byte = self[index]
      let isCapital = byte &- UInt8(ascii: "A") < 26
      guard (isCapital ? byte | 0x20 : byte) == name[index] else { return false }
    }
    return true
  }

  /// The bytes as text: UTF-8, or else each byte as a character of ISO 8859-1.
  fileprivate var text: String {
    if let text = try? UTF8Span(validating: bindMemory(to: UInt8.self).span) {
      return String(copying: text)
    }
    return String(String.UnicodeScalarView(map { UnicodeScalar($0) }))
  }
}
