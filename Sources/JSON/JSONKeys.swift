/// The keys that an object has so far.
///
/// Most objects have few, which are compared one by one; the many go into a set, so that the time
/// grows with their number and not its square. Keys are compared as the bytes that they say.
struct JSONKeys {
  private static let fewMax = 8

  private var few: [Int] = []
  private var many: Set<Content> = []

  /// Adds a key, unless the object has it.
  ///
  /// - Parameter number: The number of its node.
  /// - Returns: Whether it was added.
  mutating func insert(_ number: Int, of nodes: [JSONNode], in bytes: [UInt8]) -> Bool {
    let content = Content(bytes: nodes[number].content(in: bytes))
    if many.isEmpty {
      if few.contains(where: { nodes[$0].content(in: bytes) == content.bytes }) { return false }
      few.append(number)
      if few.count > Self.fewMax {
        many = Set(few.map { Content(bytes: nodes[$0].content(in: bytes)) })
      }
      return true
    }
    return many.insert(content).inserted
  }

  private struct Content: Hashable {
    let bytes: ArraySlice<UInt8>

    func hash(into hasher: inout Hasher) {
      bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
    }
  }
}
