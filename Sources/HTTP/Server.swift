internal import CMicroHTTPD
internal import Dispatch
internal import Glibc
internal import Synchronization

/// An HTTP/1.1 server on libmicrohttpd's event loops.
///
/// Each request becomes one call of the handler. The event loop that received the request runs it;
/// a handler that never suspends is answered there and then, without a change of thread.
public final class Server: Sendable {
  /// Answers one request.
  public typealias Handler = @Sendable (Request) async -> Response

  /// The limits of a server.
  public struct Configuration: Sendable {
    /// Threads that each serve many connections.
    public var eventLoops: Int
    /// Connections at the same time; the soft limit of open files is raised to fit.
    public var connectionsMax: Int
    /// How long a connection may be silent.
    public var idleTimeoutSeconds: Int
    /// The largest content of a request.
    public var bodyBytesMax: Int

    /// - Parameters:
    ///   - eventLoops: Threads that each serve many connections.
    ///   - connectionsMax: Connections at the same time.
    ///   - idleTimeoutSeconds: How long a connection may be silent.
    ///   - bodyBytesMax: The largest content of a request.
    public init(
      eventLoops: Int = 2, connectionsMax: Int = 1000, idleTimeoutSeconds: Int = 60,
      bodyBytesMax: Int = 1 << 20
    ) {
      self.eventLoops = eventLoops
      self.connectionsMax = connectionsMax
      self.idleTimeoutSeconds = idleTimeoutSeconds
      self.bodyBytesMax = bodyBytesMax
    }
  }

  /// The memory in which libmicrohttpd keeps one connection's request line and header fields, and
  /// builds its answer's.
  private static let connectionMemoryBytes = 32 * 1024

  private let context: ServerContext
  private let daemon: Daemon
  private let acceptor: Acceptor

  /// Starts to accept connections.
  ///
  /// - Parameters:
  ///   - socket: Where to accept connections.
  ///   - configuration: The limits.
  ///   - handler: Answers each request; may be called by several threads at once.
  /// - Throws: `.cannotStart`.
  public init(
    on socket: consuming ListeningSocket, configuration: Configuration,
    handler: @escaping Handler
  ) throws(ListenError) {
    raiseOpenFilesLimit(to: configuration.connectionsMax)
    context = ServerContext(bodyBytesMax: configuration.bodyBytesMax, handler: handler)
    // Balanced by the release in `stop`, or right here when there is nothing to stop.
    let retained = Unmanaged.passRetained(context)
    var options = conversationd_daemon(
      context: retained.toOpaque(), eventLoops: UInt32(configuration.eventLoops),
      connectionsMax: UInt32(configuration.connectionsMax),
      idleTimeoutSeconds: UInt32(configuration.idleTimeoutSeconds),
      connectionMemoryBytes: Self.connectionMemoryBytes,
      started: requestStarted, received: requestReceived, completed: requestCompleted,
      unescape: leaveEscaped)
    guard let handle = conversationd_start_daemon(&options) else {
      retained.release()
      throw .cannotStart(errorNumber: errno)
    }
    daemon = Daemon(handle: handle)
    acceptor = Acceptor(socket, daemon: handle)
  }

  /// Stops accepting, lets the requests that have arrived be answered, and closes every connection.
  /// Called once.
  ///
  /// - Parameter timeout: How long requests may still take; those that are slower are cut off.
  /// - Returns: False when a handler did not return in that time: then connections stay open, since
  ///   libmicrohttpd cannot be stopped with one suspended, and the process should end.
  public func stop(within timeout: Duration) async -> Bool {
    context.isStopping.store(true, ordering: .relaxed)
    await acceptor.stop()

    let deadline = ContinuousClock.now + timeout
    while context.isBusy, .now < deadline {
      await Self.pause()
    }
    // From here on no handler starts (see `Exchange.run`), so none can suspend its connection.
    context.isCutOff.store(true, ordering: .sequentiallyConsistent)
    while context.handlersRunning.load(ordering: .sequentiallyConsistent) > 0 {
      guard .now < deadline else { return false }
      await Self.pause()
    }
    MHD_stop_daemon(daemon.handle)
    Unmanaged.passUnretained(context).release()
    return true
  }
}

extension Server {
  /// Lets others run for a moment, also in a task that is cancelled, where `Task.sleep` would not.
  private static func pause() async {
    await withCheckedContinuation { continuation in
      DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(5)) {
        continuation.resume()
      }
    }
  }
}

/// The running daemon.
///
/// `@unchecked Sendable` because the pointer never changes, and libmicrohttpd's functions on a
/// daemon may be called from any thread; that `stop` is called once is its caller's promise.
private struct Daemon: @unchecked Sendable {
  let handle: OpaquePointer
}

/// What the callbacks of one server share.
final class ServerContext: Sendable {
  let bodyBytesMax: Int
  let handler: Server.Handler
  /// Set once; every answer from then on closes its connection.
  let isStopping = Atomic<Bool>(false)
  /// Set once, after `isStopping`; requests from then on are dropped.
  let isCutOff = Atomic<Bool>(false)
  /// Requests whose target has arrived and that are not yet completed.
  let requests = Atomic<Int>(0)
  /// Calls of the handler that have not returned.
  let handlersRunning = Atomic<Int>(0)

  init(bodyBytesMax: Int, handler: @escaping Server.Handler) {
    self.bodyBytesMax = bodyBytesMax
    self.handler = handler
  }

  var isBusy: Bool {
    requests.load(ordering: .acquiring) > 0 || handlersRunning.load(ordering: .acquiring) > 0
  }
}

/// Makes room for the connections beside the files that the process has open anyway; the hard limit
/// of the host stays the bound.
private func raiseOpenFilesLimit(to connectionsMax: Int) {
  let otherFiles = 128 + LingeringClose.countMax
  var limit = rlimit()
  guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
  let wanted = rlim_t(connectionsMax + otherFiles)
  guard limit.rlim_cur < wanted else { return }
  limit.rlim_cur = min(wanted, limit.rlim_max)
  setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}

// The callbacks capture nothing: each recovers its object and makes one call.

private func requestStarted(
  context: UnsafeMutableRawPointer?, target: UnsafePointer<CChar>?, connection: OpaquePointer?
) -> UnsafeMutableRawPointer? {
  let context = Unmanaged<ServerContext>.fromOpaque(context!).takeUnretainedValue()
  let exchange = Exchange(context: context, connection: connection!, target: target!)
  // Balanced by the release in `requestCompleted`, which libmicrohttpd calls for each started one.
  return Unmanaged.passRetained(exchange).toOpaque()
}

private func requestReceived(
  context: UnsafeMutableRawPointer?, connection: OpaquePointer?, path: UnsafePointer<CChar>?,
  method: UnsafePointer<CChar>?, version: UnsafePointer<CChar>?, content: UnsafePointer<CChar>?,
  contentCount: UnsafeMutablePointer<Int>?,
  exchange: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> MHD_Result {
  let exchange = Unmanaged<Exchange>.fromOpaque(exchange!.pointee!).takeUnretainedValue()
  let content = UnsafeRawBufferPointer(start: content, count: contentCount!.pointee)
  contentCount!.pointee = 0
  return exchange.receive(method: method!, content: content) ? .YES : .NO
}

private func requestCompleted(
  context: UnsafeMutableRawPointer?, connection: OpaquePointer?,
  exchange: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, reason: MHD_RequestTerminationCode
) {
  guard let pointer = exchange?.pointee else { return }
  exchange?.pointee = nil
  let retained = Unmanaged<Exchange>.fromOpaque(pointer)
  retained.takeUnretainedValue().complete()
  retained.release()
}

/// Keeps `%` sequences: decoding the whole path would make `%2F` a separator and `%00` its end.
private func leaveEscaped(
  context: UnsafeMutableRawPointer?, connection: OpaquePointer?, text: UnsafeMutablePointer<CChar>?
) -> Int {
  strlen(text!)
}
