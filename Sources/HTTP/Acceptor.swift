internal import CMicroHTTPD
internal import Dispatch
internal import Glibc
internal import Synchronization

/// Accepts the connections of a listening socket, refuses those for which there is no room, and hands
/// the others to the event loops.
///
/// libmicrohttpd accepts by itself too, but cannot be told to stop without a race: its
/// `MHD_quiesce_daemon` (0.9.75) and the event loops both take the socket out of the epoll set, and
/// whichever comes second aborts the process.
///
/// `@unchecked Sendable` because `sources` and what changes are used by blocks of the serial queue
/// alone once they run.
final class Acceptor: @unchecked Sendable {
  /// How many are accepted before others get their turn on the queue, such as `stop`.
  private static let acceptedMax = 256
  /// How long to leave connections waiting when the process has no descriptor or memory for them.
  private static let pauseMilliseconds = 100

  private let loops: [EventLoop]
  private let connections: ClientConnections
  /// nil once it is closed.
  private let socket: Mutex<ListeningSocket?>
  private let queue = DispatchQueue(label: "conversationd.acceptor")
  /// Of the socket, one for each address.
  private let descriptors: [Int32]
  private let sources: [any DispatchSourceRead]
  private var openSourceCount: Int
  private var nextLoop = 0

  /// Begins to accept.
  init(
    _ socket: consuming ListeningSocket, loops: [EventLoop], connections: ClientConnections
  ) {
    descriptors = socket.descriptors
    self.loops = loops
    self.connections = connections
    self.socket = Mutex(socket)
    openSourceCount = descriptors.count
    sources = descriptors.map { [queue] in
      DispatchSource.makeReadSource(fileDescriptor: $0, queue: queue)
    }
    for (index, source) in sources.enumerated() {
      // The handler holds this object until the source is cancelled.
      source.setEventHandler { self.accept(at: index) }
      source.resume()
    }
  }

  /// Returns when no connection is accepted any more and the socket is closed. Called once.
  func stop() async {
    await withCheckedContinuation { continuation in
      for source in sources {
        source.setCancelHandler {
          self.openSourceCount -= 1
          guard self.openSourceCount == 0 else { return }
          self.socket.withLock { $0 = nil }
          continuation.resume()
        }
      }
      for source in sources { source.cancel() }
    }
  }

  private func accept(at index: Int) {
    // What is left over wakes the source again.
    for _ in 0..<Self.acceptedMax {
      var address = sockaddr_storage()
      var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
      let code = withUnsafeMutablePointer(to: &address) { address in
        address.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
          let connection = Glibc.accept(descriptors[index], generic, &length)
          if connection >= 0 { take(connection, from: address.pointee, length: length) }
          return connection
        }
      }
      guard code < 0 else { continue }
      switch errno {
      case EINTR, ECONNABORTED: continue
      case EMFILE, ENFILE, ENOBUFS, ENOMEM: return pause(index)
      default: return
      }
    }
  }

  private func take(_ connection: Int32, from storage: sockaddr_storage, length: socklen_t) {
    let address = ClientAddress(storage)
    guard connections.admit(from: address) else {
      close(connection)
      return
    }
    nextLoop = (nextLoop + 1) % loops.count
    loops[nextLoop].take(
      EventLoop.AcceptedConnection(
        descriptor: connection, address: address, storage: storage, length: length))
  }

  private func pause(_ index: Int) {
    sources[index].suspend()
    queue.asyncAfter(deadline: .now() + .milliseconds(Self.pauseMilliseconds)) {
      self.sources[index].resume()
    }
  }
}
