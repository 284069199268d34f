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

/// How many connections are open, and their limits.
final class ClientConnections: Sendable {
  private let connectionsMax: Int
  private let counts: ConnectionCounts
  private let state: Mutex<State>

  private struct State {
    /// 0 for as many as there may be in all.
    var connectionsPerAddressMax: Int
    var openCount = 0
    var countByAddress: [ClientAddress: Int] = [:]
  }

  init(connectionsMax: Int, connectionsPerAddressMax: Int, counts: ConnectionCounts) {
    self.connectionsMax = connectionsMax
    self.counts = counts
    state = Mutex(State(connectionsPerAddressMax: connectionsPerAddressMax))
  }

  /// Takes another limit for connections that come from now on.
  func use(perAddressMax: Int) {
    state.withLock { $0.connectionsPerAddressMax = perAddressMax }
  }

  /// Counts a connection that was just accepted.
  ///
  /// - Returns: False when there is no room for it; whoever accepted it closes it then.
  func admit(from address: ClientAddress) -> Bool {
    state.withLock { state in
      if state.openCount >= connectionsMax {
        count { $0.refusedAtLimit += 1 }
        return false
      }
      let ofAddress = state.countByAddress[address.countedAs, default: 0]
      let ofAddressMax = state.connectionsPerAddressMax
      if ofAddressMax > 0, ofAddress >= ofAddressMax {
        count { $0.refusedAtAddressLimit += 1 }
        return false
      }
      state.countByAddress[address.countedAs] = ofAddress + 1
      state.openCount += 1
      let openCount = state.openCount
      count { counts in
        counts.accepted += 1
        counts.open = openCount
      }
      return true
    }
  }

  /// The socket of a connection that was admitted is about to be closed.
  func remove(_ address: ClientAddress) {
    state.withLock { state in
      let ofAddress = state.countByAddress[address.countedAs, default: 1] - 1
      state.countByAddress[address.countedAs] = ofAddress > 0 ? ofAddress : nil
      state.openCount -= 1
      let openCount = state.openCount
      count { $0.open = openCount }
    }
  }

  /// Counts something else.
  func count(_ change: (inout sending ConnectionCounts.Values) -> Void) {
    counts.count(change)
  }
}
