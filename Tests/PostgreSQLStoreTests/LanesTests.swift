import Synchronization
import TestSupport
import Testing

@testable import PostgreSQLStore

@Suite struct LanesTests {
  struct Request: LaneRequest {
    let number: Int
    var resources: [String] = []
    var bytes = 0
  }

  /// Lanes that are held until a test lets them go, and tell which groups they ran.
  final class Held: Sendable {
    let groups = Mutex<[[Int]]>([])
    let isHeld = Atomic(true)

    func run(_ group: [Request]) {
      groups.withLock { $0.append(group.map(\.number)) }
      _ = eventually { !isHeld.load(ordering: .acquiring) }
    }

    /// Waits until so many groups have begun.
    func wait(for count: Int) {
      _ = eventually { groups.withLock(\.count) == count }
    }
  }

  @Test func `what waits becomes one group`() async throws {
    let held = Held()
    let lanes = Lanes<Request>("test", count: 1, groupMax: 4) { held.run($1) }
    #expect(lanes.add(Request(number: 0)) == nil)
    held.wait(for: 1)
    for number in 1...6 { #expect(lanes.add(Request(number: number)) == nil) }
    #expect(lanes.waitingCount == 6)
    held.isHeld.store(false, ordering: .releasing)
    await lanes.close { _ in }
    #expect(held.groups.withLock { $0 } == [[0], [1, 2, 3, 4], [5, 6]])
    #expect(lanes.add(Request(number: 7)) == .closed)
  }

  @Test func `requests for the same thing keep their order, and keep no lane waiting`() async throws
  {
    let held = Held()
    let lanes = Lanes<Request>("test", count: 2, groupMax: 10) { held.run($1) }
    _ = lanes.add(Request(number: 0, resources: ["a"]))
    held.wait(for: 1)
    _ = lanes.add(Request(number: 1, resources: ["a"]))
    _ = lanes.add(Request(number: 2, resources: ["a", "b"]))
    _ = lanes.add(Request(number: 3, resources: ["b"]))
    _ = lanes.add(Request(number: 4, resources: ["c"]))
    held.wait(for: 2)
    #expect(held.groups.withLock { $0 } == [[0], [4]])
    held.isHeld.store(false, ordering: .releasing)
    await lanes.close { _ in }
    #expect(held.groups.withLock { $0 } == [[0], [4], [1], [2], [3]])
  }

  @Test func `a group ends when it brings enough`() async throws {
    let held = Held()
    let lanes = Lanes<Request>("test", count: 1, groupMax: 10) { held.run($1) }
    _ = lanes.add(Request(number: 0))
    held.wait(for: 1)
    for number in 1...3 { _ = lanes.add(Request(number: number, bytes: 3 << 20)) }
    _ = lanes.add(Request(number: 4, bytes: 9 << 20))
    _ = lanes.add(Request(number: 5, bytes: 1))
    held.isHeld.store(false, ordering: .releasing)
    await lanes.close { _ in }
    #expect(held.groups.withLock { $0 } == [[0], [1], [2], [3], [4], [5]])
  }

  @Test func `a full queue takes nothing`() async throws {
    let held = Held()
    let lanes = Lanes<Request>("test", count: 1, waitingMax: 2, groupMax: 10) { held.run($1) }
    _ = lanes.add(Request(number: 0))
    held.wait(for: 1)
    #expect(lanes.add(Request(number: 1)) == nil && lanes.add(Request(number: 2)) == nil)
    #expect(lanes.add(Request(number: 3)) == .full(waitingMax: 2))
    held.isHeld.store(false, ordering: .releasing)
    await lanes.close { _ in }
  }
}
