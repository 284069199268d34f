/// The set of key-value pairs attached to a conversation: at most 16, each key once, sorted by key.
///
/// Keys and values are compared and sorted as UTF-8 bytes, which is code point order. Swift's own
/// `==` takes two spellings of `é` for one string; to clients they are two keys (contract, section 2).
public struct Metadata: Sendable {
  /// The most pairs that a set may have.
  public static let pairsMax = 16
  /// The most code points that a key may have.
  public static let keyLengthMax = 64
  /// The most code points that a value may have.
  public static let valueLengthMax = 512

  /// One key and its value.
  public struct Pair: Sendable {
    /// 0 to 64 code points, none of them U+0000.
    public let key: String
    /// 0 to 512 code points, none of them U+0000.
    public let value: String

    /// - Throws: The first rule that is broken, the key's before the value's: `.keyTooLong`,
    ///   `.keyContainsNUL`, `.valueTooLong`, `.valueContainsNUL`.
    public init(key: String, value: String) throws(MetadataError) {
      if let length = Self.length(of: key, over: keyLengthMax) {
        throw .keyTooLong(key: key, length: length)
      }
      if key.containsNUL { throw .keyContainsNUL(key: key) }
      if let length = Self.length(of: value, over: valueLengthMax) {
        throw .valueTooLong(key: key, length: length)
      }
      if value.containsNUL { throw .valueContainsNUL(key: key) }
      self.key = key
      self.value = value
    }

    fileprivate init(validKey key: String, validValue value: String) {
      self.key = key
      self.value = value
    }

    /// The length in code points, when it is over the limit. Most strings have fewer bytes than the
    /// limit has code points, and need no counting.
    private static func length(of text: String, over limit: Int) -> Int? {
      guard text.utf8.count > limit else { return nil }
      let length = text.unicodeScalars.count
      return length > limit ? length : nil
    }
  }

  /// The pairs as bytes, sorted by key: of each the length of the key in bytes (2, big endian), the key,
  /// and the value in the same way. One object for all of them: most sets are read from the database,
  /// written as JSON and hashed, and no pair of them is looked at by itself.
  let block: [UInt8]
  private static let lengthBytes = 2

  /// No pairs.
  public static let empty = Metadata(sorted: [])

  /// The pairs, sorted by key; made for each call.
  public var pairs: [Pair] {
    var pairs: [Pair] = []
    pairs.reserveCapacity(Self.pairsMax)
    forEach { key, value in pairs.append(Pair(validKey: key.text, validValue: value.text)) }
    return pairs
  }

  /// Calls a function with the UTF-8 of each key and value, in the order of the keys.
  public func forEach(_ body: (_ key: Span<UInt8>, _ value: Span<UInt8>) -> Void) {
    let bytes = block.span
    var start = 0
    while start < bytes.count {
      let key = Self.text(in: bytes, at: start)
      let value = Self.text(in: bytes, at: key.upperBound)
      body(bytes.extracting(key), bytes.extracting(value))
      start = value.upperBound
    }
  }

  private static func text(in bytes: Span<UInt8>, at start: Int) -> Range<Int> {
    let count = Int(bytes[start]) << 8 | Int(bytes[start + 1])
    return start + lengthBytes..<start + lengthBytes + count
  }

  /// Makes a set of pairs in any order.
  ///
  /// - Throws: `.tooManyPairs`, `.duplicateKey`.
  public init(_ pairs: [Pair]) throws(MetadataError) {
    try Self.requireRoom(for: pairs.count)
    // As they come from the database.
    if pairs.indices.dropFirst().allSatisfy({ pairs[$0 - 1].key.precedes(pairs[$0].key) }) {
      self.init(sorted: pairs)
      return
    }
    let sorted = pairs.sorted { $0.key.precedes($1.key) }
    for (pair, next) in zip(sorted, sorted.dropFirst()) where pair.key.hasSameBytes(as: next.key) {
      throw .duplicateKey(key: pair.key)
    }
    self.init(sorted: sorted)
  }

  /// Tells whether a set may have so many pairs, before any pair is looked at.
  ///
  /// - Throws: `.tooManyPairs`.
  public static func requireRoom(for pairCount: Int) throws(MetadataError) {
    guard pairCount <= pairsMax else { throw .tooManyPairs(count: pairCount) }
  }

  /// What makes another set of this one: the keys that go, the pairs that get another value, and the
  /// pairs that are new.
  public func difference(
    to other: Metadata
  ) -> (removed: [String], changed: [Pair], added: [Pair]) {
    var removed: [String] = []
    var changed: [Pair] = []
    var added: [Pair] = []
    // Both are sorted, so one walk through the two meets equal keys at the same time.
    var rest = pairs[...]
    for pair in other.pairs {
      while let old = rest.first, old.key.precedes(pair.key) {
        removed.append(old.key)
        rest.removeFirst()
      }
      guard let old = rest.first, old.key.hasSameBytes(as: pair.key) else {
        added.append(pair)
        continue
      }
      rest.removeFirst()
      if !old.value.hasSameBytes(as: pair.value) { changed.append(pair) }
    }
    return (removed + rest.map(\.key), changed, added)
  }

  private init(sorted pairs: [Pair]) {
    var builder = Builder()
    for pair in pairs {
      builder.add(pair.key.utf8Span.span)
      builder.add(pair.value.utf8Span.span)
    }
    block = builder.block
  }

  private init(block: [UInt8]) {
    self.block = block
  }

  /// Puts a set together from the pairs that a database has, without a string of any.
  public struct Builder {
    fileprivate private(set) var block: [UInt8] = []
    private var count = 0
    private var lastKey: Range<Int>?

    /// No pairs yet.
    public init() {
      block.reserveCapacity(512)
    }

    /// Adds a pair.
    ///
    /// - Parameters:
    ///   - key: Its key, which sorts after the one before.
    ///   - value: Its value.
    /// - Returns: Whether that leaves a valid set: false when a rule is broken, a text is not UTF-8, or a
    ///   key does not sort after the one before.
    public mutating func add(key: Span<UInt8>, value: Span<UInt8>) -> Bool {
      count += 1
      guard count <= pairsMax, key.isValid(lengthMax: keyLengthMax),
        value.isValid(lengthMax: valueLengthMax)
      else { return false }
      if let lastKey {
        guard block.span.extracting(lastKey).precedes(key) else { return false }
      }
      let start = block.count + lengthBytes
      lastKey = start..<start + key.count
      add(key)
      add(value)
      return true
    }

    fileprivate mutating func add(_ text: Span<UInt8>) {
      block.append(UInt8(text.count >> 8))
      block.append(UInt8(text.count & 0xff))
      text.withUnsafeBufferPointer { block.append(contentsOf: $0) }
    }

    /// The set.
    public var metadata: Metadata { Metadata(block: block) }
  }
}

extension Metadata: Equatable {
  /// Whether both have the same bytes.
  public static func == (left: Metadata, right: Metadata) -> Bool { left.block == right.block }
}

/// Which rule of a set is broken, with the facts; the words for people are made elsewhere.
public enum MetadataError: Error, Equatable, Sendable {
  /// More than `Metadata.pairsMax` pairs.
  case tooManyPairs(count: Int)
  /// A key over `Metadata.keyLengthMax`; `length` in code points.
  case keyTooLong(key: String, length: Int)
  /// A value over `Metadata.valueLengthMax`; `length` in code points.
  case valueTooLong(key: String, length: Int)
  /// U+0000 in a key.
  case keyContainsNUL(key: String)
  /// U+0000 in a value.
  case valueContainsNUL(key: String)
  /// The same key twice.
  case duplicateKey(key: String)
}

extension String {
  fileprivate var containsNUL: Bool {
    let bytes = utf8Span.span
    return bytes.indices.contains { bytes[$0] == 0 }
  }

  /// Whether both are the same code points, not merely canonically equivalent.
  public func hasSameBytes(as other: String) -> Bool {
    let (bytes, others) = (utf8Span.span, other.utf8Span.span)
    return bytes.count == others.count && bytes.indices.allSatisfy { bytes[$0] == others[$0] }
  }

  /// Code point order, which is the order of UTF-8 bytes.
  public func precedes(_ other: String) -> Bool { utf8Span.span.precedes(other.utf8Span.span) }
}

extension Span<UInt8> {
  fileprivate var text: String {
    withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
  }

  fileprivate func precedes(_ other: Span<UInt8>) -> Bool {
    for index in 0..<Swift.min(count, other.count) where self[index] != other[index] {
      return self[index] < other[index]
    }
    return count < other.count
  }

  /// Whether the bytes are UTF-8 without U+0000, of so many code points at most.
  fileprivate func isValid(lengthMax: Int) -> Bool {
    // Most are plain ASCII; bytes are looked at eight at a time.
    if count <= lengthMax, isASCIIWithoutNUL { return true }
    guard let text = try? UTF8Span(validating: self), count <= 4 * lengthMax else { return false }
    let string = String(copying: text)
    return !string.containsNUL && string.unicodeScalars.count <= lengthMax
  }

  private var isASCIIWithoutNUL: Bool {
    withUnsafeBytes { bytes in
      let highBits: UInt64 = 0x8080_8080_8080_8080
      let ones: UInt64 = 0x0101_0101_0101_0101
      var found: UInt64 = 0
      var index = 0
      while index + 8 <= bytes.count {
        let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
        // The high bit of a byte: it is over 0x7f, or 0. A borrow may set one too many, next to a 0.
        found |= word | (word &- ones)
        index += 8
      }
      while index < bytes.count {
        found |= UInt64(bytes[index] &- 1 | bytes[index])
        index += 1
      }
      return found & highBits == 0
    }
  }
}
