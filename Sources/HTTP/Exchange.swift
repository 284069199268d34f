internal import CMicroHTTPD
internal import Dispatch
internal import Glibc
internal import HTTPTypes
internal import Synchronization

/// One request and its answer: receives the request in pieces, runs the handler once, and hands the
/// answer to libmicrohttpd.
///
/// `@unchecked Sendable` because only the thread of its event loop touches it. A task that ends on
/// another thread has the loop go on.
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

  private let loop: EventLoop
  private let connection: OpaquePointer
  private let client: ClientConnection
  private let target: RequestTarget

  private var phase = Phase.headers
  private var method = HTTPRequest.Method.get
  private var headers = HeaderFields()
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

  private enum Phase {
    case headers, content, handler
    /// After the gate has let the content in, which took a while.
    case admitted
  }

  private var context: ServerContext { loop.server }

  /// - Parameter target: The target as sent, which libmicrohttpd ends with a NUL.
  init(
    loop: EventLoop, connection: OpaquePointer, client: ClientConnection,
    target: UnsafePointer<CChar>
  ) {
    self.loop = loop
    self.connection = connection
    self.client = client
    self.target = RequestTarget(target)
    loop.requestBegan()
    client.requestBegins(now: loop.now)
    if HeaderRoom.isTooSmall(for: self.target, limit: loop.server.headerBytesMax) { client.close() }
  }

  /// Takes the next piece. libmicrohttpd calls this once with the header fields alone, once for each
  /// piece of content, once at the end (no content), and then until there is an answer, except
  /// while the connection is suspended.
  ///
  /// - Returns: False to close the connection without an answer.
  func receive(method: UnsafePointer<CChar>, content: UnsafeRawBufferPointer) -> Bool {
    loop.requestWentOn()
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
      return pass(context.gate(request(with: isFull ? .withoutRoom : .bytes([]))))
    case .admitted where content.isEmpty:
      // Of the header once more, or of the end of chunks, which libmicrohttpd tells again.
      phase = .content
      return true
    case .admitted,
      .content where !content.isEmpty:
      return append(content)
    case .content:
      return run(receivedBody)
    case .handler:
      if let response { return queue(response) }
      suspend()
      return true
    }
  }

  /// The connection is done with this request, answered or not.
  func complete() {
    client.isReceivingChunks = false
    client.requestCompleted(now: loop.now)
    letGo()
    context.letGoAnswer(heldAnswerBytes)
    loop.requestEnded(client)
  }

  // MARK: Receiving

  /// - Returns: Why the content is not to be read, if it is not.
  private func readHeaders(after requestLine: UnsafePointer<CChar>) -> Request.Body? {
    let received = ReceivedHeaders(
      of: connection, requestLine: requestLine, hasQuery: target.hasQuery)
    headers = received.fields
    headerBytes = received.countedBytes
    if headerBytes > context.headerBytesMax {
      return .headersTooLarge(bytesMax: context.headerBytesMax)
    }
    if received.isAmbiguous { return .ambiguous }
    // libmicrohttpd has seen that it is a number of 64 bits.
    length = headers[.contentLength].flatMap { UInt64($0) }
    isChunked = received.isChunked
    client.isReceivingChunks = isChunked
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
    guard heldBytes > 0 else { return }
    context.letGo(heldBytes)
    heldBytes = 0
  }

  // MARK: Answering

  private func request(with body: Request.Body) -> Request {
    Request(method: method, target: target, headers: headers, body: body, client: client.address)
  }

  private func run(_ body: Request.Body, atHeader isAtHeader: Bool = false) -> Bool {
    client.isReceivingChunks = false
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
  private func run(atHeader isAtHeader: Bool, _ call: () -> Answer) -> Bool {
    guard !loop.isCutOff else { return false }
    let answer = call()
    phase = .handler
    if isAtHeader { LingeringClose.start(connection) }
    switch answer {
    case .ready(let response):
      return queue(response)
    case .later(let respond):
      begin(respond)
    }
    if let response { return queue(response) }
    if isAtHeader { suspend() }
    return true
  }

  private func begin(_ respond: @escaping @Sendable () async -> Response) {
    loop.waitBegan()
    if body.count > Self.promptBytesMax {
      Self.largeContents.async { [loop] in
        Task.immediate(executorPreference: loop) { await self.finish(respond) }
      }
    } else {
      Task.immediate(executorPreference: loop) { await self.finish(respond) }
    }
  }

  private func finish(_ respond: @Sendable () async -> Response) async {
    let response = await respond()
    loop.perform { self.end(with: response) }
  }

  private func end(with response: Response) {
    self.response = response
    goOn()
  }

  /// Lets content in that may be large, or answers instead, as soon as the gate has decided.
  private func pass(_ decision: Eventual<Response?>) -> Bool {
    switch decision {
    case .ready(nil):
      return !loop.isCutOff
    case .ready(let response?):
      return run(atHeader: true) { .ready(response) }
    case .later(let decide):
      guard !loop.isCutOff else { return false }
      phase = .handler
      loop.waitBegan()
      Task.immediate(executorPreference: loop) {
        let refusal = await decide()
        self.loop.perform { self.endGate(with: refusal) }
      }
      if let response { return queue(response) }
      if phase == .admitted { phase = .content } else { suspend() }
      return true
    }
  }

  private func endGate(with refusal: Response?) {
    if let refusal {
      LingeringClose.start(connection)
      response = refusal
    } else {
      phase = .admitted
    }
    goOn()
  }

  /// Has libmicrohttpd go on with a connection that rests.
  private func goOn() {
    if client.isSuspended {
      client.isSuspended = false
      MHD_resume_connection(connection)
    }
    loop.waitEnded()
  }

  /// Lets the connection rest until the task has ended.
  private func suspend() {
    client.isSuspended = true
    MHD_suspend_connection(connection)
  }

  private func queue(_ response: Response) -> Bool {
    client.answerBegins(now: loop.now)
    // Before the client has the answer: its next request finds room.
    body = []
    letGo()
    heldAnswerBytes = context.holdAnswer(response.body.count)
    let answer = response.body.withUnsafeBytes { body in
      // libmicrohttpd takes a copy, and leaves the original as it is.
      MHD_create_response_from_buffer(
        body.count, UnsafeMutableRawPointer(mutating: body.baseAddress), .RESPMEM_MUST_COPY)
    }
    guard let answer else { return false }
    defer { MHD_destroy_response(answer) }
    assert(HeaderRoom.fits(response.headers), "more header fields than there is room for")
    guard response.headers.add(to: answer) else { return false }
    if context.isStopping.load(ordering: .relaxed) {
      MHD_add_response_header(answer, "Connection", "close")
    }
    return MHD_queue_response(connection, UInt32(response.status.code), answer) == .YES
  }
}
