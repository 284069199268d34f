import Conversations
import Repository
import Synchronization
import Testing

/// What time new ids tell.
@Suite struct CreationClockTests {
  private let hour: Int64 = 3_600_000_000
  private let noon: Int64 = 1_782_518_134_000_000

  private func id(at microseconds: Int64) -> ConversationID {
    var random = SystemRandomNumberGenerator()
    return ConversationID(atMicroseconds: microseconds, after: nil, using: &random)
  }

  @Test func `it is the wall clock, if that is not behind`() {
    let wall = Mutex(noon)
    var clock = CreationClock(wallClock: { wall.withLock { $0 } }, newest: id(at: noon - hour))
    #expect(clock.nextID(after: nil).createdAtMicroseconds == noon)
    wall.withLock { $0 += 17 }
    #expect(clock.nextID(after: nil).createdAtMicroseconds == noon + 17)
  }

  /// A sequence alone would count the conversations of everybody.
  @Test(arguments: [true, false])
  func `behind the newest id time goes on from it`(isFound: Bool) async throws {
    let wall = Mutex(noon - hour)
    let newest = id(at: noon)
    var clock = CreationClock(wallClock: { wall.withLock { $0 } }, newest: isFound ? newest : nil)
    if !isFound { _ = clock.nextID(after: newest) }
    var times: [Int64] = []
    for _ in 1...3 {
      try await Task.sleep(for: .milliseconds(5))
      times.append(clock.nextID(after: newest).createdAtMicroseconds)
    }
    #expect(times[0] >= noon + 5000)
    #expect(times[1] >= times[0] + 5000)
    #expect(times[2] >= times[1] + 5000)
    wall.withLock { $0 = times[2] + hour }
    #expect(clock.nextID(after: newest).createdAtMicroseconds == times[2] + hour)
  }

  @Test func `what another program inserted comes before`() {
    let wall = Mutex(noon)
    var clock = CreationClock(wallClock: { wall.withLock { $0 } }, newest: nil)
    _ = clock.nextID(after: nil)
    let inserted = id(at: noon + hour)
    #expect(inserted < clock.nextID(after: inserted))
  }

  @Test func `an id that was made and not stored is not made again`() {
    let wall = Mutex(noon)
    var clock = CreationClock(wallClock: { wall.withLock { $0 } }, newest: nil)
    let lost = clock.nextID(after: nil)
    #expect(lost < clock.nextID(after: nil))
  }
}
