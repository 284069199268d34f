internal import CMicroHTTPD
internal import Dispatch
internal import Glibc

/// Lets a client that is still sending read the answer that refused it (RFC 9112, section 9.6).
///
/// libmicrohttpd closes the connection after such an answer. Were that the last descriptor of the
/// socket, the content still on its way would make the kernel reset the connection, and the client
/// would lose the answer. So a second descriptor reads and drops what comes, for a while.
///
/// `@unchecked Sendable` because only blocks of the serial queue touch it.
final class LingeringClose: @unchecked Sendable {
  private static let timeoutSeconds = 2
  private static let queue = DispatchQueue(label: "conversationd.lingering-close")

  private let descriptor: Int32
  private let source: any DispatchSourceRead
  private var bytesLeft = Exchange.drainedBytesMax

  /// Keeps a connection's socket open until its client closes it, sends too much, or takes too long.
  static func start(_ connection: OpaquePointer) {
    let original = conversationd_connection_socket(connection)
    let descriptor = fcntl(original, F_DUPFD_CLOEXEC, 0)
    // Without a descriptor to spare the client may miss the answer; it is refused all the same.
    guard descriptor >= 0 else { return }
    LingeringClose(descriptor).start()
  }

  private init(_ descriptor: Int32) {
    self.descriptor = descriptor
    source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: Self.queue)
  }

  /// The source's handlers hold this object, until it is cancelled.
  private func start() {
    source.setEventHandler { self.drop() }
    source.setCancelHandler { close(self.descriptor) }
    Self.queue.asyncAfter(deadline: .now() + .seconds(Self.timeoutSeconds)) {
      self.source.cancel()
    }
    source.resume()
  }

  private func drop() {
    var piece = [UInt8](repeating: 0, count: 64 * 1024)
    let count = read(descriptor, &piece, piece.count)
    if count < 0, errno == EAGAIN { return }
    bytesLeft -= count
    if count <= 0 || bytesLeft < 0 { source.cancel() }
  }
}
