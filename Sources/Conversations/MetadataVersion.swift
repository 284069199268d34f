/// A set that a conversation had before, and how another one took its place.
public struct MetadataVersion: Equatable, Sendable {
  /// The numbers that a version may have: those that every reader of JSON keeps as they are.
  public static let numbers: ClosedRange<Int64> = 0...(1 << 53 - 1)

  /// When the set was replaced, in Unix microseconds; a little later where that is needed to be larger
  /// than every earlier number of the conversation. So it is never used again.
  public let number: Int64
  /// The set.
  public let metadata: Metadata
  /// Who replaced it.
  public let author: ChangeAuthor

  /// When the set was replaced, in Unix seconds.
  public var replacedAt: Int64 { number / 1_000_000 }

  /// - Parameters:
  ///   - number: Unix microseconds.
  ///   - metadata: The set.
  ///   - author: Who replaced it.
  public init(number: Int64, metadata: Metadata, author: ChangeAuthor) {
    self.number = number
    self.metadata = metadata
    self.author = author
  }

  /// Reads a number as clients write it.
  ///
  /// - Returns: nil when it is not one.
  public static func number(_ text: String) -> Int64? {
    guard let number = Int64(text), numbers.contains(number),
      number.description.hasSameBytes(as: text)
    else { return nil }
    return number
  }
}

/// Who changes the set of a conversation.
public struct ChangeAuthor: Equatable, Sendable {
  /// The name of the API key; nil where none was needed.
  public let keyName: String?
  /// The id of the request, as it was answered and logged.
  public let requestID: String

  /// - Parameters:
  ///   - keyName: The name of the API key; nil where none was needed.
  ///   - requestID: The id of the request.
  public init(keyName: String?, requestID: String) {
    self.keyName = keyName
    self.requestID = requestID
  }
}

/// What is asked of the former sets of a conversation: a page of them.
public struct MetadataHistoryQuery: Equatable, Sendable {
  /// The most versions of a page.
  public var limit = 20
  /// The order, by number.
  public var order = ConversationQuery.Order.descending
  /// The number after which the page begins, in that order. No version needs to have it.
  public var after: Int64?

  /// The newest 20.
  public init() {}

  /// The numbers that the page may have; nil when there are none.
  public var numbers: ClosedRange<Int64>? {
    let all = MetadataVersion.numbers
    guard let after else { return all }
    let (first, last) =
      order == .ascending ? (after + 1, all.upperBound) : (all.lowerBound, after - 1)
    return first <= last ? first...last : nil
  }
}
