import Conversations
import Testing

@Suite struct MetadataChangeTests {
  private func pairs(_ keysAndValues: KeyValuePairs<String, String>) throws -> [Metadata.Pair] {
    try keysAndValues.map { try Metadata.Pair(key: $0.key, value: $0.value) }
  }

  private func set(_ keysAndValues: KeyValuePairs<String, String>) throws -> Metadata {
    try Metadata(pairs(keysAndValues))
  }

  struct Merge: Sendable {
    let before: KeyValuePairs<String, String>
    let remove: [String]
    let set: KeyValuePairs<String, String>
    let after: KeyValuePairs<String, String>

    init(
      _ before: KeyValuePairs<String, String>, remove: [String] = [],
      set: KeyValuePairs<String, String> = [:], _ after: KeyValuePairs<String, String>
    ) {
      self.before = before
      self.remove = remove
      self.set = set
      self.after = after
    }
  }

  @Test(arguments: [
    Merge(["a": "1", "b": "2"], ["a": "1", "b": "2"]),
    Merge([:], set: ["a": "1"], ["a": "1"]),
    Merge(["a": "1"], set: ["b": "2"], ["a": "1", "b": "2"]),
    Merge(["a": "1", "b": "2"], set: ["a": "3"], ["a": "3", "b": "2"]),
    Merge(["a": "1", "b": "2"], remove: ["a"], ["b": "2"]),
    Merge(["a": "1"], remove: ["b"], ["a": "1"]),
    Merge(["a": "1"], remove: ["a", "a"], [:]),
    Merge(["a": "1", "b": "2"], remove: ["b"], set: ["a": "", "c": "3"], ["a": "", "c": "3"]),
    // Two spellings of a key are two keys.
    Merge(["\u{E9}": "1"], remove: ["e\u{301}"], ["\u{E9}": "1"]),
    Merge(["\u{E9}": "1"], set: ["e\u{301}": "2"], ["\u{E9}": "1", "e\u{301}": "2"]),
    Merge(["": "1"], remove: [""], [:]),
  ])
  func `a merge removes, sets and keeps`(merge: Merge) throws {
    let change = MetadataChange.merge(remove: KeySet(merge.remove), set: try pairs(merge.set))
    let changed = try change.applied(to: set(merge.before))
    #expect(changed == (try set(merge.after)))
  }

  @Test func `a replacement is the whole set`() throws {
    let new = try set(["b": "2"])
    #expect(try MetadataChange.replace(with: new).applied(to: set(["a": "1"])) == new)
    #expect(try MetadataChange.replace(with: .empty).applied(to: new) == .empty)
  }

  @Test func `the limits hold for the result of a merge`() throws {
    let full = try Metadata((0..<16).map { try Metadata.Pair(key: "k\($0)", value: "") })
    #expect(throws: MetadataError.tooManyPairs(count: 17)) {
      try MetadataChange.merge(remove: [], set: pairs(["new": ""])).applied(to: full)
    }
    #expect(throws: MetadataError.tooManyPairs(count: 17)) {
      try MetadataChange.merge(remove: ["other"], set: pairs(["new": ""])).applied(to: full)
    }
    let swapped = try MetadataChange.merge(remove: ["k0"], set: pairs(["new": ""]))
      .applied(to: full)
    #expect(swapped.pairs.count == 16)
    let changed = try MetadataChange.merge(remove: [], set: pairs(["k0": "1"])).applied(to: full)
    #expect(changed.value(for: "k0") == "1")
  }

  @Test func `a key that is set twice is refused`() throws {
    #expect(throws: MetadataError.duplicateKey(key: "a")) {
      try MetadataChange.merge(remove: [], set: pairs(["a": "1", "a": "1"])).applied(to: .empty)
    }
  }
}
