import Conversations
import Testing

/// The bytes of a text: `==` on strings takes two spellings of one character for the same.
private func bytes(_ text: String?) -> [UInt8]? {
  text.map { Array($0.utf8) }
}

extension Metadata {
  /// The value of a key, if the set has it.
  func value(for key: String) -> String? {
    pairs.first { $0.key.hasSameBytes(as: key) }?.value
  }
}

@Suite struct MetadataSetTests {
  private func pairs(_ count: Int) throws -> [Metadata.Pair] {
    try (0..<count).map { try Metadata.Pair(key: "key \($0)", value: "\($0)") }
  }

  private func set(_ keysAndValues: KeyValuePairs<String, String>) throws -> Metadata {
    try set(keysAndValues.map { ($0.key, $0.value) })
  }

  private func set(_ keysAndValues: [(String, String)]) throws -> Metadata {
    try Metadata(keysAndValues.map { try Metadata.Pair(key: $0.0, value: $0.1) })
  }

  @Test(arguments: [0, 1, 15, 16])
  func `a set has up to 16 pairs`(count: Int) throws {
    try Metadata.requireRoom(for: count)
    let metadata = try Metadata(try pairs(count))
    #expect(metadata.pairs.count == count)
    for number in 0..<count {
      #expect(metadata.value(for: "key \(number)") == "\(number)")
    }
  }

  @Test(arguments: [17, 18, 1000])
  func `a set of more pairs is refused`(count: Int) throws {
    let pairs = try pairs(count)
    #expect(throws: MetadataError.tooManyPairs(count: count)) { try Metadata(pairs) }
    #expect(throws: MetadataError.tooManyPairs(count: count)) {
      try Metadata.requireRoom(for: count)
    }
  }

  /// Every two of the sets that have the keys a, b, c (or not) with the values 1 and 2.
  @Test func `the difference of two sets makes one of the other`() throws {
    var sets: [[(String, String)]] = [[]]
    for key in ["a", "b", "c"] {
      sets = sets.flatMap { set in [set, set + [(key, "1")], set + [(key, "2")]] }
    }
    for old in sets {
      for new in sets {
        let difference = try set(old).difference(to: try set(new))
        let gone = old.filter { pair in !new.contains { $0.0 == pair.0 } }
        let added = new.filter { pair in !old.contains { $0.0 == pair.0 } }
        let changed = new.filter { pair in
          old.contains { $0.0 == pair.0 && $0.1 != pair.1 }
        }
        #expect(difference.removed == gone.map(\.0))
        #expect(difference.changed.map(\.key) == changed.map(\.0))
        #expect(difference.changed.map(\.value) == changed.map(\.1))
        #expect(difference.added.map(\.key) == added.map(\.0))
        #expect(difference.added.map(\.value) == added.map(\.1))
      }
    }
    let (one, two) = (try set(["\u{E9}": "1"]), try set(["e\u{301}": "1"]))
    #expect(bytes(one.difference(to: two).removed.first) == bytes("\u{E9}"))
    #expect(bytes(one.difference(to: two).added.first?.key) == bytes("e\u{301}"))
  }

  @Test func `the empty set has no pairs`() throws {
    #expect(Metadata.empty.pairs.isEmpty)
    #expect(Metadata.empty == (try Metadata([])))
    #expect(Metadata.empty.value(for: "") == nil)
  }

  @Test(arguments: ["", "k", "\u{E9}", "e\u{301}", "\u{1F600}"])
  func `a key twice is refused, wherever both stand`(key: String) throws {
    let pair = try Metadata.Pair(key: key, value: "1")
    let again = try Metadata.Pair(key: key, value: "2")
    let others = try pairs(5)
    for set in [[pair, again], [pair] + others + [again], others + [again, pair]] {
      #expect(throws: MetadataError.duplicateKey(key: key)) { try Metadata(set) }
    }
  }

  @Test func `the number of pairs is looked at before their keys`() throws {
    let pairs = try pairs(16)
    #expect(throws: MetadataError.tooManyPairs(count: 17)) { try Metadata(pairs + [pairs[0]]) }
  }

  @Test(arguments: [
    ("\u{E9}", "e\u{301}"),
    ("\u{C5}", "\u{212B}"),
    ("\u{AC00}", "\u{1100}\u{1161}"),
    ("a\u{323}\u{307}", "a\u{307}\u{323}"),
    ("k", "K"),
    ("k", "k "),
    ("", "\u{200B}"),
  ])
  func `two spellings of a key are two keys`(first: String, second: String) throws {
    let both = try set([first: "1", second: "2"])
    #expect(both.pairs.count == 2)
    #expect(both.value(for: first) == "1")
    #expect(both.value(for: second) == "2")
    let one = try set([first: "1"])
    #expect(one.value(for: second) == nil)
  }

  /// In the order in which a set must return them. In UTF-16 U+10000 begins with the unit D800 and
  /// comes before U+E000 and U+FFFF, and Swift's `<` compares `é` in one normal form.
  private static let keysInOrder = [
    "", "\u{1}", " ", "A", "Z", "a", "aa", "a\u{301}", "e\u{301}", "f", "z", "\u{7F}", "\u{80}",
    "\u{E9}", "\u{D7FF}", "\u{E000}", "\u{FFFF}", "\u{10000}", "\u{10000}a", "\u{10FFFF}",
  ]

  @Test(arguments: 0...4)
  func `pairs are sorted by the code points of their keys`(first: Int) throws {
    let ordered = Self.keysInOrder[first..<first + 16]
    let rotated = ordered.dropFirst(7) + ordered.prefix(7)
    for sent in [Array(ordered), ordered.reversed(), Array(rotated)] {
      let metadata = try Metadata(sent.map { try Metadata.Pair(key: $0, value: $0) })
      #expect(metadata.pairs.map { bytes($0.key) } == ordered.map { bytes($0) })
      #expect(metadata.pairs.map { bytes($0.value) } == ordered.map { bytes($0) })
    }
  }

  @Test func `code point order is told for every two texts`() {
    for (index, first) in Self.keysInOrder.enumerated() {
      for (otherIndex, second) in Self.keysInOrder.enumerated() {
        #expect(first.precedes(second) == (index < otherIndex))
        #expect(first.hasSameBytes(as: second) == (index == otherIndex))
      }
    }
  }

  @Test func `two sets are equal when their bytes are, whatever the order sent`() throws {
    let set = try set(["a": "1", "\u{E9}": "\u{E9}"])
    #expect(set == (try self.set(["\u{E9}": "\u{E9}", "a": "1"])))
    #expect(set != (try self.set(["a": "1", "e\u{301}": "\u{E9}"])))
    #expect(set != (try self.set(["a": "1", "\u{E9}": "e\u{301}"])))
    #expect(set != (try self.set(["a": "2", "\u{E9}": "\u{E9}"])))
    #expect(set != (try self.set(["b": "1", "\u{E9}": "\u{E9}"])))
    #expect(set != (try self.set(["a": "1"])))
    #expect(set != (try self.set(["a": "1", "\u{E9}": "\u{E9}", "z": ""])))
    #expect(set != .empty)
  }
}
