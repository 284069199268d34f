/// When something last happened in a conversation, and how much is in it.
public struct Activity: Equatable, Sendable {
  /// The moment of the newest append of items, or of the creation, in Unix microseconds.
  public let lastMicroseconds: Int64
  /// How many items it has.
  public let itemCount: Int64

  /// - Parameters:
  ///   - lastMicroseconds: In Unix microseconds.
  ///   - itemCount: How many items it has.
  public init(lastMicroseconds: Int64, itemCount: Int64) {
    self.lastMicroseconds = lastMicroseconds
    self.itemCount = itemCount
  }

  /// The moment in Unix seconds.
  public var lastSeconds: Int64 { lastMicroseconds / 1_000_000 }
}
