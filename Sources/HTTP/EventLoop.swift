internal import CMicroHTTPD
internal import CProcess
internal import Glibc
internal import Synchronization

/// A thread that does everything for its connections: it receives, calls the handler, goes on with the
/// handler's task after a wait, and sends. libmicrohttpd works within `MHD_run_wait`; other threads leave
/// what they have for the loop in its mailbox.
///
/// `@unchecked Sendable` because only the loop's thread uses what changes, but for the mailbox and the
/// atomics. `start` is called before that thread exists, and `stop` ends it before it touches anything.
final class EventLoop: TaskExecutor, @unchecked Sendable {
  /// How long it may take until the end of a client's stream is noticed. To look for it costs a call of
  /// the system, which is not made after each wake-up of a busy loop.
  private static let endCheckMilliseconds: Int32 = 5
  /// How many ends one call of the system tells.
  private static let endsMax = 64
  /// How often late clients are looked for.
  private static let lateCheckMilliseconds: Int64 = 1000
  /// After how many rounds without a call by libmicrohttpd the loop asks whether it is stuck.
  private static let emptyRoundsMax = 100

  let server: ServerContext
  private var daemon: OpaquePointer?
  /// The epoll set in which libmicrohttpd waits.
  private var epoll: Int32 = -1
  /// Ends the wait.
  private var waker: Int32 = -1
  /// The sockets whose clients have not finished sending; what happens here ends the wait too.
  private var ends: Int32 = -1
  private var thread = pthread_t()

  private let mailbox = Mutex<[Message]>([])
  /// Whether there is something in the mailbox, and the loop is going to look.
  private let hasMail = Atomic(false)
  private let isStopping = Atomic(false)
  /// Of the thread; 0 before it runs. Written by the loop alone, like the two counts.
  private let threadID = Atomic<UInt>(0)
  private let requestCount = Atomic(0)
  private let waitingCount = Atomic(0)

  private var clients: [Int32: ClientConnection] = [:]
  /// Once set, no handler starts.
  private(set) var isCutOff = false
  /// When the loop last woke up, in milliseconds on a clock that only goes forward.
  private(set) var now = EventLoop.clock
  private var endsChecked: Int64 = 0
  /// Clients whose ends libmicrohttpd is to see in the next round.
  private var ended: [ClientConnection] = []
  /// Whether something has happened since, so that there may be ends to notice.
  private var isEndCheckDue = false
  private var lateChecked: Int64 = 0
  private var callCount = 0

  private enum Message {
    case connection(AcceptedConnection)
    case job(UnownedJob)
    case call(@Sendable () -> Void)
  }

  /// A connection that was accepted, and for which there is room.
  struct AcceptedConnection {
    let descriptor: Int32
    let address: ClientAddress
    let storage: sockaddr_storage
    let length: socklen_t
  }

  init(server: ServerContext) {
    self.server = server
  }

  // MARK: Start and end

  /// Starts the daemon and the thread.
  ///
  /// - Parameter options: What the daemons of all loops share; the context becomes this loop.
  /// - Throws: `.cannotStart`.
  func start(_ options: conversationd_daemon) throws(ListenError) {
    var options = options
    // Balanced by the release in `close`.
    options.context = Unmanaged.passRetained(self).toOpaque()
    daemon = conversationd_start_daemon(&options)
    if let daemon {
      epoll = conversationd_daemon_epoll(daemon)
      waker = conversationd_add_waker(epoll, false)
      if waker >= 0 { ends = conversationd_add_waker(epoll, true) }
    }
    guard ends >= 0 else {
      let errorNumber = errno
      close()
      throw .cannotStart(errorNumber: errorNumber)
    }
    let code = pthread_create(
      &thread, nil,
      { loop in
        // Held by the reference that `close` releases, after the thread has ended.
        Unmanaged<EventLoop>.fromOpaque(loop!).takeUnretainedValue().run()
        return nil
      }, options.context)
    guard code == 0 else {
      close()
      throw .cannotStart(errorNumber: code)
    }
  }

  /// Has no handler start any more.
  func cutOff() async {
    await withCheckedContinuation { continuation in
      perform {
        self.isCutOff = true
        continuation.resume()
      }
    }
  }

  /// Ends the thread, and closes all connections. None may be suspended.
  func stop() {
    isStopping.store(true, ordering: .sequentiallyConsistent)
    conversationd_wake(waker)
    pthread_join(thread, nil)
    close()
  }

  private func close() {
    if let daemon { MHD_stop_daemon(daemon) }
    daemon = nil
    // Connections that nobody has taken yet.
    for case .connection(let accepted) in takeMail() {
      Glibc.close(accepted.descriptor)
      server.connections.remove(accepted.address)
    }
    for descriptor in [waker, ends] where descriptor >= 0 { Glibc.close(descriptor) }
    Unmanaged.passUnretained(self).release()
  }

  // MARK: The thread

  private func run() {
    threadID.store(UInt(pthread_self()), ordering: .relaxed)
    process_name_thread("http-loop")
    var emptyRounds = 0
    while !isStopping.load(ordering: .relaxed) {
      readMail()
      let calls = callCount
      MHD_run_wait(daemon, waitMilliseconds)
      now = Self.clock
      checkClients()
      emptyRounds = calls == callCount ? emptyRounds + 1 : 0
      if emptyRounds > Self.emptyRoundsMax { closeStuckClients() }
    }
  }

  /// Ends those that send a chunk's line that does not fit into libmicrohttpd's memory. It would refuse
  /// them only with threads of its own; here it neither reads nor waits until the client is late.
  private func closeStuckClients() {
    var timeout: UInt64 = 1
    guard MHD_get_timeout(daemon, &timeout) == .YES, timeout == 0 else { return }
    for client in clients.values where client.isReceivingChunks && client.hasUnreadContent {
      client.close()
    }
    // If it is none of those, others shall have the processor.
    conversationd_wait(epoll, 1)
  }

  /// How long the loop may sleep: until it has to look at its clients again.
  private var waitMilliseconds: Int32 {
    if clients.isEmpty { return -1 }
    return isEndCheckDue ? Self.endCheckMilliseconds : Int32(Self.lateCheckMilliseconds)
  }

  private func readMail() {
    while hasMail.load(ordering: .relaxed), hasMail.exchange(false, ordering: .acquiring) {
      for message in takeMail() {
        switch message {
        case .connection(let accepted): add(accepted)
        case .job(let job): job.runSynchronously(on: asUnownedTaskExecutor())
        case .call(let body): body()
        }
      }
    }
  }

  private func takeMail() -> [Message] {
    mailbox.withLock { mailbox in
      defer { mailbox = [] }
      return mailbox
    }
  }

  private func post(_ message: sending Message) {
    mailbox.withLock { $0.append(message) }
    if !hasMail.exchange(true, ordering: .releasing), !isCurrent { conversationd_wake(waker) }
  }

  private var isCurrent: Bool { threadID.load(ordering: .relaxed) == UInt(pthread_self()) }

  /// Runs a function on the loop's thread: at once if that is this one.
  func perform(_ body: @escaping @Sendable () -> Void) {
    if isCurrent { body() } else { post(.call(body)) }
  }

  /// A task of this loop goes on.
  func enqueue(_ job: consuming ExecutorJob) {
    post(.job(UnownedJob(job)))
  }

  // MARK: Connections

  /// Serves a connection from now on. From any thread.
  func take(_ connection: AcceptedConnection) {
    post(.connection(connection))
  }

  private func add(_ accepted: AcceptedConnection) {
    clients[accepted.descriptor] = ClientConnection(
      descriptor: accepted.descriptor, address: accepted.address, timeouts: server.timeouts,
      now: Self.clock)
    let result = withUnsafePointer(to: accepted.storage) { storage in
      storage.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        // The descriptor is libmicrohttpd's from here on, which closes it also when this fails.
        MHD_add_connection(daemon, accepted.descriptor, $0, accepted.length)
      }
    }
    if result != .YES { forget(accepted.descriptor) }
  }

  /// libmicrohttpd has begun to serve a connection.
  func begin(_ descriptor: Int32) -> ClientConnection {
    callCount &+= 1
    guard let client = clients[descriptor] else {
      preconditionFailure("a connection that nobody admitted")
    }
    conversationd_watch_end(ends, descriptor, Unmanaged.passUnretained(client).toOpaque())
    return client
  }

  /// libmicrohttpd is about to close a connection.
  func end(_ client: ClientConnection) {
    callCount &+= 1
    // By hand, since a second descriptor of the socket may stay open (`LingeringClose`).
    conversationd_forget_end(ends, client.descriptor)
    client.isClosed = true
    forget(client.descriptor)
  }

  private func forget(_ descriptor: Int32) {
    guard let client = clients.removeValue(forKey: descriptor) else { return }
    server.connections.remove(client.address)
  }

  private func checkClients() {
    if now == endsChecked {
      isEndCheckDue = true
    } else {
      endsChecked = now
      isEndCheckDue = false
      noticeEnds()
    }
    guard now >= lateChecked + Self.lateCheckMilliseconds else { return }
    lateChecked = now
    let lateCount = clients.values.count { $0.cutOffIfLate(now: now) }
    if lateCount > 0 { server.connections.count { $0.cutOff += lateCount } }
  }

  /// Has libmicrohttpd see that clients have finished sending.
  ///
  /// It stops reading after a read that did not fill its buffer, and waits for the next edge of epoll,
  /// which has passed if the end of the stream came with the request. Another edge is made a round after
  /// the end was noticed: at once, it might be one with that of the request.
  private func noticeEnds() {
    for client in ended { client.showEnd() }
    ended = []
    var count = 0
    repeat {
      withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer?.self, capacity: Self.endsMax) {
        count = Int(conversationd_take_ends(ends, $0.baseAddress, Int32($0.count)))
        for client in $0.prefix(max(0, count)) {
          // The loop holds each client until it is taken out of the set.
          streamEnded(Unmanaged<ClientConnection>.fromOpaque(client!).takeUnretainedValue())
        }
      }
    } while count == Self.endsMax
  }

  private func streamEnded(_ client: ClientConnection) {
    client.hasEnded = true
    ended.append(client)
    isEndCheckDue = true
  }

  // MARK: Requests

  /// A request begins.
  func requestBegan() {
    callCount &+= 1
    requestCount.store(requestCount.load(ordering: .relaxed) + 1, ordering: .relaxed)
  }

  /// A piece of a request has arrived, or its handler has ended.
  func requestWentOn() {
    callCount &+= 1
  }

  /// A request is answered, or its connection ends.
  func requestEnded(_ client: ClientConnection) {
    callCount &+= 1
    if client.hasEnded { streamEnded(client) }
    requestCount.store(requestCount.load(ordering: .relaxed) - 1, ordering: .releasing)
  }

  /// A task has begun that answers a request.
  func waitBegan() {
    waitingCount.store(waitingCount.load(ordering: .relaxed) + 1, ordering: .relaxed)
  }

  /// That task has ended.
  func waitEnded() {
    waitingCount.store(waitingCount.load(ordering: .relaxed) - 1, ordering: .releasing)
  }

  /// Whether there are requests that began and are not answered.
  var isBusy: Bool {
    requestCount.load(ordering: .acquiring) > 0 || isWaiting
  }

  /// Whether a handler has not returned.
  var isWaiting: Bool { waitingCount.load(ordering: .acquiring) > 0 }

  /// Milliseconds on a clock that only goes forward.
  private static var clock: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }
}
