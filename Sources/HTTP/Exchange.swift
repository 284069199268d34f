internal import CMicroHTTPD
internal import Dispatch
internal import Glibc
internal import HTTPTypes
internal import Synchronization

/// One request and its answer: receives the request in pieces, runs the handler once, and hands the
/// answer to libmicrohttpd.
///
/// `@unchecked Sendable` because only two threads touch it, one after the other: the event loop of
/// its connection has all of it, except that whoever ends the task writes `response` before it
/// sets `handover` to `.finished`, and the event loop reads `response` after it has seen that.
final class Exchange: @unchecked Sendable {
  /// How much content each request may have in any case, so that a small one finds room beside many
  /// large ones.
  static let freeBytes = 16 << 10
  /// How much content past the limit is read and dropped, so that a client that is still sending
  /// can be told; more than that closes the connection.
  static let drainedBytesMax = 8 << 20
  /// How much content the handler of a request that waits looks at on the event loop. What is larger
  /// would hold up all other connections of the loop.
  private static let promptBytesMax = 64 << 10
  /// Where handlers look at larger contents, one after the other.
  private static let largeContents = DispatchQueue(label: "conversationd.large-contents")

  private let context: ServerContext
  private let connection: OpaquePointer
  private let client: ClientConnection
  private let target: RequestTarget

  private var phase = Phase.headers
  private var method = HTTPRequest.Method.get
  private var headers = HTTPFields()
  /// What the header counts, of `HeaderRoom`.
  private var headerBytes = 0
  /// As the header says; nil for content in chunks, and without one.
  private var length: UInt64?
  private var isChunked = false
  private var body: [UInt8] = []
  private var droppedBytes = 0
  /// What this request has of the memory for the contents of all.
  private var heldBytes = 0
  private var heldAnswerBytes = 0
  private var isWithoutRoom = false
  private var response: Response?
  private let handover = Atomic<Handover>(.running)
  private var wasSuspended = false

  private enum Phase {
    case headers, content, handler
  }

  /// Who has the request while its task works (the task's end and the event loop race).
  private enum Handover: Int, AtomicRepresentable {
    /// The task has not ended, and the event loop has not suspended the connection.
    case running
    /// The task has ended.
    case finished
    /// The connection is suspended, and the task's end resumes it.
    case suspended
  }

  /// - Parameter target: The target as sent, which libmicrohttpd ends with a NUL.
  init(
    context: ServerContext, connection: OpaquePointer, client: ClientConnection,
    target: UnsafePointer<CChar>
  ) {
    self.context = context
    self.connection = connection
    self.client = client
    self.target = RequestTarget(Self.text(target))
    context.requests.add(1, ordering: .relaxed)
    client.requestBegins()
    if HeaderRoom.isTooSmall(for: self.target, limit: context.headerBytesMax) { client.close() }
  }

  /// Takes the next piece. libmicrohttpd calls this once with the header fields alone, once for each
  /// piece of content, once at the end (no content), and then until there is an answer, except
  /// while the connection is suspended.
  ///
  /// - Returns: False to close the connection without an answer.
  func receive(method: UnsafePointer<CChar>, content: UnsafeRawBufferPointer) -> Bool {
    switch phase {
    case .headers:
      guard let known = HTTPRequest.Method(rawValue: String(cString: method)) else {
        return false
      }
      self.method = known
      phase = .content
      if let refused = readHeaders(after: method) { return run(refused, atHeader: true) }
      guard isChunked || length ?? 0 > UInt64(Self.freeBytes) else { return true }
      let isFull = context.isFullOfAnswers
      return run(atHeader: true) { context.gate(request(with: isFull ? .withoutRoom : .bytes([]))) }
    case .content where !content.isEmpty:
      return append(content)
    case .content:
      return run(receivedBody)
    case .handler:
      if handover.load(ordering: .acquiring) == .finished { return queueResponse() }
      suspend()
      return true
    }
  }

  /// The connection is done with this request, answered or not.
  func complete() {
    // After a suspension, libmicrohttpd reads in any case.
    if !wasSuspended { client.noticeEndOfStream() }
    client.requestCompleted()
    letGo()
    context.heldAnswerBytes.subtract(heldAnswerBytes, ordering: .relaxed)
    context.requests.subtract(1, ordering: .releasing)
  }

  // MARK: Receiving

  /// - Returns: Why the content is not to be read, if it is not.
  private func readHeaders(after requestLine: UnsafePointer<CChar>) -> Request.Body? {
    let received = ReceivedHeaders(of: connection, requestLine: requestLine)
    headers = received.fields
    headerBytes = received.countedBytes
    if headerBytes > context.headerBytesMax {
      return .headersTooLarge(bytesMax: context.headerBytesMax)
    }
    if received.isAmbiguous { return .ambiguous }
    // libmicrohttpd has seen that it is a number of 64 bits.
    length = headers.value(of: .contentLength).flatMap { UInt64($0) }
    isChunked = received.isChunked
    if let length, length > UInt64(context.bodyBytesMax) {
      return .tooLarge(bytesMax: context.bodyBytesMax)
    }
    return nil
  }

  /// The content, or why the server has not taken it.
  private var receivedBody: Request.Body {
    if isChunked {
      // What follows the last chunk takes room like the header.
      let trailer = ReceivedHeaders(trailerOf: connection)
      if headerBytes + trailer.countedBytes > context.headerBytesMax {
        return .headersTooLarge(bytesMax: context.headerBytesMax)
      }
      if trailer.isAmbiguous { return .ambiguous }
    }
    // When nobody takes his answer, what is asked for now would only join those that wait.
    if isWithoutRoom || context.isFullOfAnswers { return .withoutRoom }
    return droppedBytes > 0 ? .tooLarge(bytesMax: context.bodyBytesMax) : .bytes(body)
  }

  private func append(_ content: UnsafeRawBufferPointer) -> Bool {
    if droppedBytes == 0, body.count + content.count <= context.bodyBytesMax,
      hold(body.count + content.count)
    {
      if body.isEmpty { body.reserveCapacity(max(content.count, Int(length ?? 0))) }
      body.append(contentsOf: content)
      return true
    }
    droppedBytes += body.count + content.count
    body = []
    letGo()
    return droppedBytes <= context.bodyBytesMax + Self.drainedBytesMax
  }

  /// - Parameter count: How much content there is with the next piece.
  /// - Returns: Whether there is room for it.
  private func hold(_ count: Int) -> Bool {
    let more = max(0, count - Self.freeBytes) - heldBytes
    guard more > 0 else { return true }
    heldBytes += more
    isWithoutRoom = !context.hold(more)
    return !isWithoutRoom
  }

  private func letGo() {
    context.letGo(heldBytes)
    heldBytes = 0
  }

  // MARK: Answering

  private func request(with body: Request.Body) -> Request {
    Request(method: method, target: target, headers: headers, body: body, client: client.address)
  }

  private func run(_ body: Request.Body, atHeader isAtHeader: Bool = false) -> Bool {
    guard client.requestArrived() else { return false }
    return run(atHeader: isAtHeader) { context.handler(request(with: body)) }
  }

  /// Calls the handler, or the gate, on this thread. Only what has to wait becomes a task, which would
  /// cost a read 3 % more.
  ///
  /// The connection is not suspended before libmicrohttpd calls again, at once. It has noted then that
  /// there is nothing to read until the request is answered. Without that note it would read as soon as
  /// the connection is resumed, and a client that has finished sending would look like one that left
  /// (libmicrohttpd 0.9.75, `MHD_connection_update_event_loop_info` and `call_handlers`).
  ///
  /// - Parameter isAtHeader: Whether there may be content, which libmicrohttpd would read if it were
  ///   not suspended. After an answer it reads none, and closes.
  private func run(atHeader isAtHeader: Bool, _ call: () -> Answer?) -> Bool {
    // Counted before it is checked, as `Server.stop` checks after it cut off: one of the two sees
    // the other.
    context.handlersRunning.add(1, ordering: .sequentiallyConsistent)
    guard !context.isCutOff.load(ordering: .sequentiallyConsistent) else {
      context.handlersRunning.subtract(1, ordering: .relaxed)
      return false
    }
    let answer = call()
    if answer != nil {
      phase = .handler
      if isAtHeader { LingeringClose.start(connection) }
    }
    switch answer {
    case nil:
      context.handlersRunning.subtract(1, ordering: .releasing)
      return true
    case .ready(let response):
      context.handlersRunning.subtract(1, ordering: .releasing)
      return queue(response)
    case .later(let respond) where body.count > Self.promptBytesMax:
      Self.largeContents.async { Task.immediate { await self.finish(respond) } }
    case .later(let respond):
      Task.immediate { await self.finish(respond) }
    }
    if handover.load(ordering: .acquiring) == .finished { return queueResponse() }
    if isAtHeader { suspend() }
    return true
  }

  /// Lets the connection rest until the task has ended. The two may happen at the same time;
  /// whichever comes second sees what the other did.
  private func suspend() {
    wasSuspended = true
    MHD_suspend_connection(connection)
    let (wasRunning, _) = handover.compareExchange(
      expected: .running, desired: .suspended, ordering: .acquiringAndReleasing)
    if !wasRunning { MHD_resume_connection(connection) }
  }

  private func finish(_ respond: @Sendable () async -> Response) async {
    response = await respond()
    if handover.exchange(.finished, ordering: .acquiringAndReleasing) == .suspended {
      MHD_resume_connection(connection)
    }
    context.handlersRunning.subtract(1, ordering: .releasing)
  }

  private func queueResponse() -> Bool {
    guard let response else { preconditionFailure("finished without a response") }
    return queue(response)
  }

  private func queue(_ response: Response) -> Bool {
    client.answerBegins()
    heldAnswerBytes = response.body.count
    context.heldAnswerBytes.add(heldAnswerBytes, ordering: .relaxed)
    let answer = response.body.withUnsafeBytes { body in
      // libmicrohttpd takes a copy, and leaves the original as it is.
      MHD_create_response_from_buffer(
        body.count, UnsafeMutableRawPointer(mutating: body.baseAddress), .RESPMEM_MUST_COPY)
    }
    guard let answer else { return false }
    defer { MHD_destroy_response(answer) }
    assert(HeaderRoom.fits(response.headers), "more header fields than there is room for")
    for field in response.headers {
      // Passed on by itself, a string would be copied into an array first.
      field.name.rawName.withCString { name in
        field.value.withCString { value in _ = MHD_add_response_header(answer, name, value) }
      }
    }
    if context.isStopping.load(ordering: .relaxed) {
      MHD_add_response_header(answer, "Connection", "close")
    }
    return MHD_queue_response(connection, UInt32(response.status.code), answer) == .YES
  }

  /// A target may hold any byte but NUL; those that are not UTF-8 are shown percent-encoded, and
  /// decoding the part they are in fails as it should.
  private static func text(_ target: UnsafePointer<CChar>) -> String {
    if let text = String(validatingCString: target) { return text }
    let bytes = UnsafeRawBufferPointer(start: target, count: strlen(target))
    return bytes.map { byte in
      byte < 0x80 ? String(UnicodeScalar(byte)) : "%" + String(byte, radix: 16)
    }.joined()
  }
}
