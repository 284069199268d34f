internal import CMicroHTTPD
internal import Dispatch
internal import Glibc
internal import Synchronization

/// An HTTP/1.1 server: event loops, each with a libmicrohttpd of its own.
///
/// Each request becomes one call of the handler, by the event loop that received it. What is ready
/// then is sent there and then; what has to wait becomes a task, whose end resumes the connection.
public final class Server: Sendable {
  /// Answers one request. What it does before it returns holds up the other connections of its event
  /// loop.
  public typealias Handler = @Sendable (Request) -> Answer

  /// Decides whether the content of a request is read: if that is announced to be over 16 KiB, or comes
  /// in chunks. Called with the request without its content, before the handler. nil lets the content
  /// in; with a response, none of it is read, and the connection is closed afterwards.
  public typealias Gate = @Sendable (Request) -> Eventual<Response?>

  /// The limits of a server.
  public struct Configuration: Sendable {
    /// Threads that each serve many connections.
    public var eventLoops: Int
    /// Connections at the same time; the soft limit of open files is raised to fit.
    public var connectionsMax: Int
    /// Those of them that one address may have; 0 for all.
    public var connectionsPerAddressMax: Int
    /// How long a connection may be silent.
    public var idleTimeoutSeconds: Int
    /// How long a request may take to arrive, its content included, and its answer to be taken.
    public var requestTimeoutSeconds: Int
    /// The largest header of a request: the bytes of its fields, 64 for each field, cookie and query
    /// argument, the length of `Cookie` once more, and what a request line has over 4 KiB.
    public var headerBytesMax: Int
    /// The largest content of a request.
    public var bodyBytesMax: Int
    /// The contents of all requests together that are kept, and as much again of all answers; at
    /// least the one above.
    public var bodiesBytesMax: Int

    /// - Parameters:
    ///   - eventLoops: Threads that each serve many connections.
    ///   - connectionsMax: Connections at the same time.
    ///   - connectionsPerAddressMax: Those of them that one address may have; 0 for all.
    ///   - idleTimeoutSeconds: How long a connection may be silent.
    ///   - requestTimeoutSeconds: How long a request may take to arrive, and its answer to be taken.
    ///   - headerBytesMax: The largest header of a request.
    ///   - bodyBytesMax: The largest content of a request.
    ///   - bodiesBytesMax: The contents of all requests together that are kept, and of all answers.
    public init(
      eventLoops: Int = 2, connectionsMax: Int = 1000, connectionsPerAddressMax: Int = 0,
      idleTimeoutSeconds: Int = 60, requestTimeoutSeconds: Int = 30,
      headerBytesMax: Int = 32 * 1024, bodyBytesMax: Int = 16 << 20,
      bodiesBytesMax: Int = 64 << 20
    ) {
      self.eventLoops = eventLoops
      self.connectionsMax = connectionsMax
      self.connectionsPerAddressMax = connectionsPerAddressMax
      self.idleTimeoutSeconds = idleTimeoutSeconds
      self.requestTimeoutSeconds = requestTimeoutSeconds
      self.headerBytesMax = headerBytesMax
      self.bodyBytesMax = bodyBytesMax
      self.bodiesBytesMax = bodiesBytesMax
    }
  }

  /// Connections at the same time: those that were asked for, or as many as the hard limit of open
  /// files allows.
  public let connectionsMax: Int

  private let context: ServerContext
  private let loops: [EventLoop]
  private let acceptor: Acceptor

  /// Starts to accept connections.
  ///
  /// - Parameters:
  ///   - socket: Where to accept connections.
  ///   - configuration: The limits.
  ///   - certificate: What to show to clients; nil serves plain HTTP.
  ///   - counts: Where connections are counted.
  ///   - gate: Decides whether a content that may be large is read; by several threads at once.
  ///   - handler: Answers each request; may be called by several threads at once.
  /// - Throws: `.cannotStart`.
  public init(
    on socket: consuming ListeningSocket, configuration: Configuration,
    certificate: Certificate? = nil, counts: ConnectionCounts = ConnectionCounts(),
    gate: @escaping Gate = { _ in .ready(nil) }, handler: @escaping Handler
  ) throws(ListenError) {
    connectionsMax = connectionsThatFit(configuration)
    let connections = ClientConnections(
      connectionsMax: connectionsMax,
      connectionsPerAddressMax: configuration.connectionsPerAddressMax, counts: counts)
    context = ServerContext(
      configuration, connections: connections, certificate: certificate, gate: gate,
      handler: handler)
    let options = conversationd_daemon(
      context: nil,
      // We count, so this must never be reached: a loop may have all of the connections, and counts
      // those down that are closed a moment later than we do.
      connectionsMax: UInt32(connectionsMax + 1024),
      idleTimeoutSeconds: UInt32(configuration.idleTimeoutSeconds),
      connectionMemoryBytes: HeaderRoom.poolBytes(limit: configuration.headerBytesMax),
      connectionChanged: connectionChanged, started: requestStarted, received: requestReceived,
      completed: requestCompleted, unescape: leaveEscaped,
      certificate: certificate == nil ? nil : certificateRequested)
    loops = try Self.startLoops(configuration.eventLoops, of: context, options)
    acceptor = Acceptor(socket, loops: loops, connections: connections)
  }

  private static func startLoops(
    _ count: Int, of context: ServerContext, _ options: conversationd_daemon
  ) throws(ListenError) -> [EventLoop] {
    var loops: [EventLoop] = []
    for _ in 0..<count {
      let loop = EventLoop(server: context)
      do {
        try loop.start(options)
      } catch {
        for started in loops { started.stop() }
        throw error
      }
      loops.append(loop)
    }
    return loops
  }

  /// Shows another certificate from the next connection on; those that are open stay.
  ///
  /// - Precondition: The server was started with one.
  public func use(_ certificate: Certificate) {
    context.use(certificate)
  }

  /// Takes other limits from now on: how many connections an address may have, and, for connections that
  /// come later, how long a request may take. The other limits of the configuration stay.
  public func use(limitsOf configuration: Configuration) {
    context.use(limitsOf: configuration)
  }

  /// Returns when every event loop has come by once more: never while one is stuck.
  public func waitForEventLoops() async {
    for loop in loops {
      await withUnsafeContinuation { continuation in loop.perform { continuation.resume() } }
    }
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
    while loops.contains(where: \.isBusy), .now < deadline {
      await Self.pause()
    }
    // From here on no handler starts, so none can suspend its connection.
    for loop in loops { await loop.cutOff() }
    while loops.contains(where: \.isWaiting) {
      guard .now < deadline else { return false }
      await Self.pause()
    }
    for loop in loops { loop.stop() }
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

/// Makes room for the connections beside the files that the process has open anyway. Beyond the hard
/// limit of the host, clients would hang before they are accepted.
///
/// - Returns: How many connections there is room for, at most those that are asked for.
private func connectionsThatFit(_ configuration: Server.Configuration) -> Int {
  let otherFiles = 256 + 8 * configuration.eventLoops + LingeringClose.countMax
  var limit = rlimit()
  guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
    return configuration.connectionsMax
  }
  let wanted = rlim_t(configuration.connectionsMax + otherFiles)
  if limit.rlim_cur < wanted {
    let before = limit.rlim_cur
    limit.rlim_cur = min(wanted, limit.rlim_max)
    if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) != 0 {
      limit.rlim_cur = before
    }
  }
  return min(configuration.connectionsMax, max(1, Int(clamping: limit.rlim_cur) - otherFiles))
}
