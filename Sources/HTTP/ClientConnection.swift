internal import CMicroHTTPD
internal import Glibc
internal import Synchronization

/// One connection: from where it comes, and by when its next request must have arrived or its answer
/// must be taken.
///
/// libmicrohttpd's own timeout is one of silence, so that a client that sends or reads a byte now and
/// then would stay for ever.
final class ClientConnection: Sendable {
  let descriptor: Int32
  let address: ClientAddress
  private let timeouts: Timeouts
  /// On the clock of `now`; or one of the two below.
  private let deadlineMilliseconds: Atomic<Int64>

  /// Whether an event loop has taken it; before that the socket may be gone without our knowledge.
  private let isTaken = Atomic(false)

  private static let noDeadline: Int64 = 0
  private static let cutOff: Int64 = -1

  /// POLLRDHUP (poll(2)), which the headers define only for `_GNU_SOURCE`.
  private static let endOfStream: Int16 = 0x2000

  struct Timeouts: Sendable {
    /// How long a connection may be silent, for which libmicrohttpd sees.
    let idleMilliseconds: Int64
    /// How long a request may take to arrive, and its answer to be taken.
    let requestMilliseconds: Int64
  }

  init(descriptor: Int32, address: ClientAddress, timeouts: Timeouts) {
    self.descriptor = descriptor
    self.address = address
    self.timeouts = timeouts
    deadlineMilliseconds = Atomic(Self.now + timeouts.requestMilliseconds)
  }

  /// An event loop has taken the connection, and will tell when it closes the socket.
  func begin() {
    isTaken.store(true, ordering: .relaxed)
  }

  /// The first line of a request has arrived. When its first byte did is not known, and only matters
  /// on a connection that was used before: there it may be late by the time of silence that is allowed.
  func requestBegins() {
    let current = deadlineMilliseconds.load(ordering: .relaxed)
    let new = min(current, Self.now + timeouts.requestMilliseconds)
    _ = deadlineMilliseconds.compareExchange(
      expected: current, desired: new, ordering: .relaxed)
  }

  /// All of the request has arrived; what follows is the server's time.
  ///
  /// - Returns: False when it was too late.
  func requestArrived() -> Bool {
    deadlineMilliseconds.exchange(Self.noDeadline, ordering: .relaxed) != Self.cutOff
  }

  /// The answer is on its way to the client.
  func answerBegins() {
    deadlineMilliseconds.store(Self.now + timeouts.requestMilliseconds, ordering: .relaxed)
  }

  /// The request is answered, and the next may come.
  func requestCompleted() {
    let deadline = Self.now + timeouts.idleMilliseconds + timeouts.requestMilliseconds
    deadlineMilliseconds.store(deadline, ordering: .relaxed)
  }

  /// Has libmicrohttpd close the connection if its client has finished sending.
  ///
  /// libmicrohttpd stops reading after a read that did not fill its buffer, and waits for the next edge
  /// of epoll. That edge has passed if the end of the stream came with the request. Shutting down the
  /// receiving half of a stream that has ended changes nothing, but makes another edge.
  func noticeEndOfStream() {
    var state = pollfd(fd: descriptor, events: Self.endOfStream, revents: 0)
    // A third quicker than to look for content with recv(2).
    if poll(&state, 1, 0) > 0, state.revents & Self.endOfStream != 0 {
      shutdown(descriptor, Int32(SHUT_RD))
    }
  }

  /// Ends the connection if its client is late. The socket must not be closed meanwhile.
  ///
  /// - Returns: Whether it was.
  func cutOffIfLate(now: Int64) -> Bool {
    let deadline = deadlineMilliseconds.load(ordering: .relaxed)
    guard deadline > Self.noDeadline, deadline <= now, isTaken.load(ordering: .relaxed),
      deadlineMilliseconds.compareExchange(
        expected: deadline, desired: Self.cutOff, ordering: .relaxed
      ).exchanged
    else { return false }
    close()
    return true
  }

  /// Has libmicrohttpd close the connection: it sees the end of the stream. The socket must not be
  /// closed meanwhile.
  func close() {
    shutdown(descriptor, Int32(SHUT_RDWR))
  }

  /// Milliseconds on a clock that only goes forward. The coarse one, since every request asks.
  static var now: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }
}
