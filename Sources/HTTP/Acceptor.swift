internal import CMicroHTTPD
internal import Dispatch
internal import Glibc
internal import Synchronization

/// Accepts the connections of a listening socket and hands them to libmicrohttpd's event loops, which
/// refuse those over the connection limit.
///
/// libmicrohttpd accepts by itself too, but cannot be told to stop without a race: its
/// `MHD_quiesce_daemon` (0.9.75) and the event loops both take the socket out of the epoll set, and
/// whichever comes second aborts the process.
///
/// `@unchecked Sendable` because `source` is used by blocks of the serial queue alone once it runs,
/// and `daemon` may be used from any thread.
final class Acceptor: @unchecked Sendable {
  /// How long to leave connections waiting when the process has no descriptor or memory for them.
  private static let pauseMilliseconds = 100

  private let daemon: OpaquePointer
  /// nil once it is closed.
  private let socket: Mutex<ListeningSocket?>
  private let queue = DispatchQueue(label: "conversationd.acceptor")
  private let source: any DispatchSourceRead

  /// Begins to accept.
  init(_ socket: consuming ListeningSocket, daemon: OpaquePointer) {
    let descriptor = socket.descriptor
    self.daemon = daemon
    self.socket = Mutex(socket)
    source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
    // The handler holds this object until the source is cancelled.
    source.setEventHandler { self.accept(from: descriptor) }
    source.resume()
  }

  /// Returns when no connection is accepted any more and the socket is closed. Called once.
  func stop() async {
    await withCheckedContinuation { continuation in
      source.setCancelHandler {
        self.socket.withLock { $0 = nil }
        continuation.resume()
      }
      source.cancel()
    }
  }

  private func accept(from descriptor: Int32) {
    while true {
      var address = sockaddr_storage()
      var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
      let code = withUnsafeMutablePointer(to: &address) { address in
        address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
          let connection = Glibc.accept(descriptor, address, &length)
          // From here on the descriptor is libmicrohttpd's, which closes it also when it refuses.
          if connection >= 0 { MHD_add_connection(daemon, connection, address, length) }
          return connection
        }
      }
      guard code < 0 else { continue }
      switch errno {
      case EINTR, ECONNABORTED: continue
      case EMFILE, ENFILE, ENOBUFS, ENOMEM: return pause()
      default: return
      }
    }
  }

  private func pause() {
    source.suspend()
    queue.asyncAfter(deadline: .now() + .milliseconds(Self.pauseMilliseconds)) {
      self.source.resume()
    }
  }
}
