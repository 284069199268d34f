/// A project, and how much is in it.
public struct ProjectRecord: Equatable, Sendable {
  /// The number under which the database knows it.
  public let number: Int64
  /// Its name.
  public let name: String
  /// How many conversations it has.
  public let conversationCount: Int64
  /// How many items they have.
  public let itemCount: Int64
  /// How many keys it has that are not revoked.
  public let keyCount: Int64

  /// - Parameters:
  ///   - number: The number under which the database knows it.
  ///   - name: Its name.
  ///   - conversationCount: How many conversations it has.
  ///   - itemCount: How many items they have.
  ///   - keyCount: How many keys it has that are not revoked.
  public init(
    number: Int64, name: String, conversationCount: Int64, itemCount: Int64, keyCount: Int64
  ) {
    self.number = number
    self.name = name
    self.conversationCount = conversationCount
    self.itemCount = itemCount
    self.keyCount = keyCount
  }
}
