public import Conversations

/// The clock by which conversations are created.
///
/// It is the wall clock, except while that is behind the newest id, as after it was set back: then
/// it is the newest id's time and what has passed since that id was made or found. So ids keep telling
/// time, never how many conversations there are, whatever happens to the wall clock.
public struct CreationClock {
  /// Unix microseconds.
  private let wallClock: () -> Int64
  private var newest: ConversationID?
  private var newestSeenAt = ContinuousClock.now
  // Boxed: thread sanitizer looks at the address of a value that has no bytes.
  private var random: any RandomNumberGenerator = SystemRandomNumberGenerator()

  /// - Parameters:
  ///   - wallClock: Answers Unix microseconds.
  ///   - newest: The newest id that is stored.
  public init(wallClock: @escaping () -> Int64, newest: ConversationID?) {
    self.wallClock = wallClock
    self.newest = newest
  }

  /// Makes an id that sorts after the newest that is stored, and after all that this clock has made.
  public mutating func nextID(after stored: ConversationID?) -> ConversationID {
    // Another program may insert too.
    if let stored, newest.map({ $0 < stored }) ?? true { see(stored) }
    let id = ConversationID(atMicroseconds: now(), after: newest, using: &random)
    see(id)
    return id
  }

  private mutating func see(_ id: ConversationID) {
    newest = id
    newestSeenAt = .now
  }

  /// The moment by this clock, in Unix microseconds: never before the newest id.
  public func now() -> Int64 {
    let wall = wallClock()
    guard let newest, wall < newest.createdAtMicroseconds else { return wall }
    let passed = ContinuousClock.now - newestSeenAt
    return newest.createdAtMicroseconds + Int64(passed / .microseconds(1))
  }
}
