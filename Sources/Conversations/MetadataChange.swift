/// What an update does to a set.
public enum MetadataChange: Sendable {
  /// The set becomes exactly this one.
  case replace(with: Metadata)
  /// These keys go, these pairs are set, the rest stays (RFC 7396).
  case merge(remove: KeySet, set: [Metadata.Pair])

  /// - Throws: `.tooManyPairs` when the result would have them; `.duplicateKey` when a key is set
  ///   twice.
  public func applied(to metadata: Metadata) throws(MetadataError) -> Metadata {
    switch self {
    case .replace(let replacement):
      return replacement
    case .merge(let removals, let pairs):
      let kept = metadata.pairs.filter { pair in
        !removals.contains(pair.key) && !pairs.contains { $0.key.hasSameBytes(as: pair.key) }
      }
      return try Metadata(kept + pairs)
    }
  }
}

/// Keys, any number of them, told apart by their bytes. A request may name very many, and the one
/// who looks them up is the writer, for whom all wait.
public struct KeySet: Sendable, ExpressibleByArrayLiteral {
  private let keys: Set<[UInt8]>

  /// - Parameter keys: In any order.
  public init(_ keys: some Sequence<String>) {
    self.keys = Set(keys.map { Array($0.utf8) })
  }

  /// - Parameter elements: In any order.
  public init(arrayLiteral elements: String...) {
    self.init(elements)
  }

  /// Whether a key is among them.
  public func contains(_ key: String) -> Bool {
    keys.contains(Array(key.utf8))
  }
}
