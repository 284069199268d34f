internal import Glibc

/// One connection: from where it comes, and by when its next request must have arrived or its answer
/// must be taken. Used by the thread of its event loop alone.
///
/// libmicrohttpd's own timeout is one of silence, so that a client that sends or reads a byte now and
/// then would stay for ever.
final class ClientConnection {
  let descriptor: Int32
  let address: ClientAddress
  private let timeouts: Timeouts
  /// In milliseconds on the clock of the event loop; nil while the server is at work.
  private var deadline: Int64?
  private var isLate = false
  /// Whether it rests until a handler's task has ended.
  var isSuspended = false
  /// Whether content in chunks is on its way.
  var isReceivingChunks = false
  /// Whether the client has finished sending.
  var hasEnded = false
  /// Whether the socket is libmicrohttpd's no more.
  var isClosed = false

  struct Timeouts: Sendable {
    /// How long a connection may be silent, for which libmicrohttpd sees.
    let idleMilliseconds: Int64
    /// How long a request may take to arrive, and its answer to be taken.
    let requestMilliseconds: Int64
  }

  init(descriptor: Int32, address: ClientAddress, timeouts: Timeouts, now: Int64) {
    self.descriptor = descriptor
    self.address = address
    self.timeouts = timeouts
    deadline = now + timeouts.requestMilliseconds
  }

  /// The first line of a request has arrived. When its first byte did is not known, and only matters
  /// on a connection that was used before: there it may be late by the time of silence that is allowed.
  func requestBegins(now: Int64) {
    deadline = min(deadline ?? .max, now + timeouts.requestMilliseconds)
  }

  /// All of the request has arrived; what follows is the server's time.
  ///
  /// - Returns: False when it was too late.
  func requestArrived() -> Bool {
    deadline = nil
    return !isLate
  }

  /// The answer is on its way to the client.
  func answerBegins(now: Int64) {
    deadline = now + timeouts.requestMilliseconds
  }

  /// The request is answered, and the next may come.
  func requestCompleted(now: Int64) {
    deadline = now + timeouts.idleMilliseconds + timeouts.requestMilliseconds
  }

  /// Has libmicrohttpd see that the client has finished sending. Shutting down the receiving half of a
  /// stream that has ended changes nothing, but makes another edge, at which libmicrohttpd reads again.
  func showEnd() {
    if !isSuspended, !isClosed { shutdown(descriptor, Int32(SHUT_RD)) }
  }

  /// Whether something has arrived that libmicrohttpd has not read.
  var hasUnreadContent: Bool {
    var byte: UInt8 = 0
    return recv(descriptor, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) > 0
  }

  /// Ends the connection if its client is late.
  ///
  /// - Returns: Whether it was.
  func cutOffIfLate(now: Int64) -> Bool {
    guard !isLate, let deadline, deadline <= now else { return false }
    isLate = true
    close()
    return true
  }

  /// Has libmicrohttpd close the connection: it sees the end of the stream.
  func close() {
    shutdown(descriptor, Int32(SHUT_RDWR))
  }
}
