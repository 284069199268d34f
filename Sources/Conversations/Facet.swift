/// Which facets of a project's metadata are asked for: its keys, or the values of one key, each once.
public struct FacetQuery: Sendable {
  /// What is listed.
  public enum Field: Sendable {
    /// The keys.
    case keys
    /// The values of a key.
    case values(key: String)
  }

  /// How many keys a page may have.
  public static let keysLimits = 1...500
  /// How many values a page may have.
  public static let valuesLimits = 1...100
  /// How far the conversations of each facet may be counted.
  public static let countLimits = 0...10_000

  /// What is listed.
  public let field: Field
  /// Only what begins with this, byte for byte.
  public var prefix = ""
  /// Only what comes after this in the order of code points; nil from the first on.
  public var after: String?
  /// How many a page has, within `keysLimits` or `valuesLimits`.
  public var limit: Int
  /// How far the conversations of each are counted, within `countLimits`; 0 counts none.
  public var countLimit = 0

  /// All of them, in pages of the default size, without counts.
  public init(_ field: Field) {
    self.field = field
    limit = if case .keys = field { 100 } else { 20 }
  }

  /// The query for the conversations that have a facet.
  ///
  /// - Parameter facet: A key, or a value of the key.
  /// - Returns: nil when no metadata can have it.
  public func conversations(with facet: String) -> ConversationQuery? {
    var query = ConversationQuery()
    do {
      switch field {
      case .keys: try query.require(key: Metadata.Pair(key: facet, value: "").key)
      case .values(let key): try query.require(Metadata.Pair(key: key, value: facet))
      }
    } catch {
      return nil
    }
    return query
  }
}

/// A key, or a value of a key, that some conversations have.
public struct Facet: Equatable, Sendable {
  /// The key or the value.
  public let text: String
  /// How many conversations have it; nil when that was not counted.
  public var count: ConversationCount?

  /// - Parameters:
  ///   - text: The key or the value.
  ///   - count: How many conversations have it.
  public init(_ text: String, count: ConversationCount? = nil) {
    self.text = text
    self.count = count
  }
}

/// A part of the facets that a query asks for.
public struct FacetPage: Sendable {
  /// In the order of code points.
  public var facets: [Facet] = []
  /// Whether there are more after these.
  public var hasMore = false
  /// How many belong here and cannot be shown: what is stored of them is not valid.
  public var unreadableCount = 0

  /// An empty page.
  public init() {}
}

/// How many conversations there are of some kind, counted up to a limit.
public struct ConversationCount: Equatable, Sendable {
  /// How far the conversations that a query asks for may be counted.
  public static let limits = 1...1_000_000
  /// How far they are counted unless something else is asked for.
  public static let defaultLimit = 10_000

  /// How many were counted.
  public let value: Int
  /// Whether there are no more than that.
  public let isExact: Bool

  /// - Parameters:
  ///   - value: How many were counted.
  ///   - isExact: Whether there are no more than that.
  public init(_ value: Int, isExact: Bool) {
    self.value = value
    self.isExact = isExact
  }
}
