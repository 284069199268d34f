public import Conversations

/// What was answered to a creation with an idempotency key.
public struct StoredResponse: Sendable {
  /// The answer, as it was encoded the first time.
  public let text: String
  /// The hash of the conversation as it was created.
  public let contentHash: ContentHash
  /// Whether it was given before, so that nothing new is stored.
  public let isReplay: Bool

  /// - Parameters:
  ///   - text: The answer, as it was encoded the first time.
  ///   - contentHash: The hash of the conversation as it was created.
  ///   - isReplay: Whether it was given before.
  public init(text: String, contentHash: ContentHash, isReplay: Bool) {
    self.text = text
    self.contentHash = contentHash
    self.isReplay = isReplay
  }
}
