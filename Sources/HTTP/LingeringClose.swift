internal import CMicroHTTPD
internal import Dispatch
internal import Glibc
internal import Synchronization

/// Lets a client that is still sending read the answer that refused it (RFC 9112, section 9.6).
///
/// libmicrohttpd closes the connection after such an answer. Were that the last descriptor of the
/// socket, the content still on its way would make the kernel reset the connection, and the client
/// would lose the answer. So a second descriptor reads and drops what comes, for a while.
///
/// `@unchecked Sendable` because only blocks of the serial queue touch it.
final class LingeringClose: @unchecked Sendable {
  /// How many sockets may be kept at the same time; beyond that clients may miss their answer.
  static let countMax = 64
  private static let timeoutSeconds = 2
  /// How much is read and dropped: twice the content that is taken by default.
  private static let bytesMax = 32 << 20
  private static let count = Atomic<Int>(0)
  private static let queue = DispatchQueue(label: "conversationd.lingering-close")

  private let descriptor: Int32
  private let source: any DispatchSourceRead
  private var bytesLeft = LingeringClose.bytesMax

  /// Keeps a connection's socket open until its client closes it, sends too much, or takes too long.
  static func start(_ connection: OpaquePointer) {
    let original = conversationd_connection_socket(connection)
    let hasRoom = count.add(1, ordering: .relaxed).newValue <= countMax
    let descriptor = hasRoom ? fcntl(original, F_DUPFD_CLOEXEC, 0) : -1
    guard descriptor >= 0 else {
      count.subtract(1, ordering: .relaxed)
      return
    }
    LingeringClose(descriptor).start()
  }

  private init(_ descriptor: Int32) {
    self.descriptor = descriptor
    source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: Self.queue)
  }

  /// The source's handlers hold this object, until it is cancelled.
  private func start() {
    source.setEventHandler { self.drop() }
    source.setCancelHandler {
      close(self.descriptor)
      Self.count.subtract(1, ordering: .relaxed)
    }
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
