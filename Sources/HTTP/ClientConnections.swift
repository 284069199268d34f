internal import Dispatch
internal import Glibc
internal import Synchronization

/// How many connections there are and were, for whoever watches the server.
public final class ConnectionCounts: Sendable {
  private let counts = Mutex(Values())

  /// The counts of one moment.
  public struct Values: Sendable {
    /// Those that are open.
    public var open = 0
    /// Those that were accepted since the start.
    public var accepted = 0
    /// Those that were closed at once, since as many as may be were open.
    public var refusedAtLimit = 0
    /// Those that were closed at once, since their address had as many as it may.
    public var refusedAtAddressLimit = 0
    /// Those that were cut off, since a request took too long to arrive or an answer to be taken.
    public var cutOff = 0
  }

  /// Nothing happened yet.
  public init() {}

  /// The counts of this moment.
  public var values: Values { counts.withLock { $0 } }

  func count(_ change: (inout sending Values) -> Void) {
    counts.withLock { change(&$0) }
  }
}

/// The connections that are open, their limits, and the end of those whose client is late.
///
/// `@unchecked Sendable` because `timer` is set up before anybody else has the object, and
/// cancelling it may be done from any thread.
final class ClientConnections: @unchecked Sendable {
  private static let checkInterval = DispatchTimeInterval.seconds(1)

  private let limits: Limits
  private let counts: ConnectionCounts
  private let state = Mutex(State())
  private let timer = DispatchSource.makeTimerSource(
    queue: DispatchQueue(label: "conversationd.connections"))

  struct Limits: Sendable {
    let connectionsMax: Int
    /// 0 for as many as there may be in all.
    let connectionsPerAddressMax: Int
    let timeouts: ClientConnection.Timeouts
  }

  private struct State {
    var byDescriptor: [Int32: ClientConnection] = [:]
    var countByAddress: [ClientAddress: Int] = [:]

    mutating func remove(_ descriptor: Int32) {
      guard let connection = byDescriptor.removeValue(forKey: descriptor) else { return }
      let count = countByAddress[connection.address.countedAs, default: 1] - 1
      countByAddress[connection.address.countedAs] = count > 0 ? count : nil
    }
  }

  init(limits: Limits, counts: ConnectionCounts) {
    self.limits = limits
    self.counts = counts
    timer.setEventHandler { [weak self] in self?.cutOffLateOnes() }
    timer.schedule(deadline: .now() + Self.checkInterval, repeating: Self.checkInterval)
    timer.resume()
  }

  deinit {
    timer.cancel()
  }

  /// Counts a connection that was just accepted.
  ///
  /// - Returns: False when there is no room for it; whoever accepted it closes it then.
  func admit(_ descriptor: Int32, from address: ClientAddress) -> Bool {
    state.withLock { state in
      // The number is used again only after its socket was closed, whatever became of that.
      state.remove(descriptor)
      let perAddressMax = limits.connectionsPerAddressMax
      if state.byDescriptor.count >= limits.connectionsMax {
        counts.count { $0.refusedAtLimit += 1 }
        return false
      }
      if perAddressMax > 0, state.countByAddress[address.countedAs, default: 0] >= perAddressMax {
        counts.count { $0.refusedAtAddressLimit += 1 }
        return false
      }
      state.byDescriptor[descriptor] = ClientConnection(
        descriptor: descriptor, address: address, timeouts: limits.timeouts)
      state.countByAddress[address.countedAs, default: 0] += 1
      let openCount = state.byDescriptor.count
      counts.count { counts in
        counts.accepted += 1
        counts.open = openCount
      }
      return true
    }
  }

  /// The connection of a socket that was admitted.
  subscript(descriptor: Int32) -> ClientConnection? {
    state.withLock { $0.byDescriptor[descriptor] }
  }

  /// The socket is about to be closed.
  func remove(_ descriptor: Int32) {
    state.withLock { state in
      state.remove(descriptor)
      let openCount = state.byDescriptor.count
      counts.count { $0.open = openCount }
    }
  }

  /// Under the lock, so that no socket is closed and its number used again meanwhile.
  private func cutOffLateOnes() {
    state.withLock { state in
      let now = ClientConnection.now
      let lateCount = state.byDescriptor.values.count { $0.cutOffIfLate(now: now) }
      if lateCount > 0 { counts.count { $0.cutOff += lateCount } }
    }
  }
}
