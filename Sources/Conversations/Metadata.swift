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

    /// The length in code points, when it is over the limit. Most strings have fewer bytes than the
    /// limit has code points, and need no counting.
    private static func length(of text: String, over limit: Int) -> Int? {
      guard text.utf8.count > limit else { return nil }
      let length = text.unicodeScalars.count
      return length > limit ? length : nil
    }
  }

  /// The pairs, sorted by key.
  public let pairs: [Pair]

  /// No pairs.
  public static let empty = Metadata(sorted: [])

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
    self.pairs = pairs
  }
}

extension Metadata: Equatable {
  /// Whether both have the same bytes.
  public static func == (left: Metadata, right: Metadata) -> Bool {
    left.pairs.elementsEqual(right.pairs) {
      $0.key.hasSameBytes(as: $1.key) && $0.value.hasSameBytes(as: $1.value)
    }
  }
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
  public func precedes(_ other: String) -> Bool {
    let (bytes, others) = (utf8Span.span, other.utf8Span.span)
    for index in 0..<min(bytes.count, others.count) where bytes[index] != others[index] {
      return bytes[index] < others[index]
    }
    return bytes.count < others.count
  }
}
