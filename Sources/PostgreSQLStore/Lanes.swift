internal import Dispatch
internal import Synchronization

/// Something that waits for a lane.
protocol LaneRequest: Sendable {
  associatedtype Resource: Hashable & Sendable

  /// What no other request of this program may use at the same time.
  var resources: [Resource] { get }
  /// How much it brings, roughly.
  var bytes: Int { get }
}

/// A few threads, each with a connection of its own. A lane that is free takes everything that waits as
/// one group.
///
/// Requests that use the same resource run one after another, in the order in which they came: a lane
/// that waited for a lock that another lane holds would keep its whole group waiting.
final class Lanes<Request: LaneRequest>: Sendable {
  private let queues: [DispatchQueue]
  private let waitingMax: Int
  private let groupMax: Int
  private let state: Mutex<State>
  private let run: @Sendable (_ lane: Int, [Request]) -> Void

  /// So that a small request waits for the large ones of one group at most.
  private static var groupBytesMax: Int { 4 << 20 }

  private struct State {
    var waiting: [Request] = []
    var idle: [Int]
    /// By lane, what its group uses.
    var used: [Set<Request.Resource>]
    var isClosed = false
  }

  /// - Parameters:
  ///   - name: For the names of the threads.
  ///   - count: How many lanes there are, at least 1.
  ///   - waitingMax: How many requests may wait.
  ///   - groupMax: How many requests a group has at most.
  ///   - run: Runs a group on the thread of a lane, and answers each of its requests.
  init(
    _ name: String, count: Int, waitingMax: Int = .max, groupMax: Int,
    run: @escaping @Sendable (_ lane: Int, [Request]) -> Void
  ) {
    queues = (0..<count).map { DispatchQueue(label: "conversationd.\(name).\($0)") }
    self.waitingMax = waitingMax
    self.groupMax = groupMax
    self.run = run
    state = Mutex(
      State(idle: Array((0..<count).reversed()), used: Array(repeating: [], count: count)))
  }

  /// Why a request was not taken.
  enum Refusal: Equatable {
    case full(waitingMax: Int)
    case closed
  }

  /// How many requests wait for a lane.
  var waitingCount: Int { state.withLock { $0.waiting.count } }

  /// Leaves a request to the next free lane.
  ///
  /// - Returns: Why it is not taken; nil when it is.
  func add(_ request: Request) -> Refusal? {
    let (refusal, lane) = state.withLock { state -> (Refusal?, Int?) in
      if state.isClosed { return (.closed, nil) }
      if state.waiting.count >= waitingMax { return (.full(waitingMax: waitingMax), nil) }
      state.waiting.append(request)
      return (nil, state.idle.popLast())
    }
    if let lane { queues[lane].async { self.drain(lane) } }
    return refusal
  }

  /// Takes no more requests, and returns when those that wait are done and no lane runs.
  ///
  /// - Parameter end: Called for each lane, on its thread, at the end.
  func close(_ end: @escaping @Sendable (_ lane: Int) -> Void) async {
    state.withLock { $0.isClosed = true }
    for (lane, queue) in queues.enumerated() {
      await withCheckedContinuation { continuation in
        queue.async {
          // A request that could not run before, since another lane used what it needs.
          self.drain(lane)
          end(lane)
          continuation.resume()
        }
      }
    }
  }

  /// Runs group after group, until there is nothing left that this lane could run.
  private func drain(_ lane: Int) {
    while let group = nextGroup(lane) { run(lane, group) }
  }

  private func nextGroup(_ lane: Int) -> [Request]? {
    state.withLock { state in
      state.used[lane] = []
      var busy = state.used.reduce(into: Set<Request.Resource>()) { $0.formUnion($1) }
      var group: [Request] = []
      var left: [Request] = []
      var bytes = 0
      for (index, request) in state.waiting.enumerated() {
        // One that brings more than all of a group may by itself is a group of its own.
        if group.count == groupMax || bytes + request.bytes > Self.groupBytesMax && !group.isEmpty {
          left += state.waiting[index...]
          break
        }
        // What has to wait keeps its place before later requests for the same.
        guard busy.isDisjoint(with: request.resources) else {
          busy.formUnion(request.resources)
          left.append(request)
          continue
        }
        busy.formUnion(request.resources)
        state.used[lane].formUnion(request.resources)
        bytes += request.bytes
        group.append(request)
      }
      state.waiting = left
      guard !group.isEmpty else {
        if !state.idle.contains(lane) { state.idle.append(lane) }
        return nil
      }
      state.idle.removeAll { $0 == lane }
      return group
    }
  }
}
