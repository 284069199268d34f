import Foundation
import HTTP
import HTTPTypes
import Synchronization
import TestSupport
import Testing

/// Handlers that suspend, and that do not.
@Suite(.timeLimit(.minutes(1))) struct SuspensionTests {
  /// A way to suspend, or not to.
  enum Pause: CaseIterable, Sendable {
    case none, yield, sleep, resumedAtOnce, resumedByThread, resumedByQueue, childTask, detachedTask

    func wait() async {
      switch self {
      case .none: break
      case .yield: await Task.yield()
      case .sleep: try? await Task.sleep(for: .milliseconds(1))
      case .resumedAtOnce: await withCheckedContinuation { $0.resume() }
      case .resumedByThread:
        await withCheckedContinuation { continuation in
          Thread.detachNewThread { continuation.resume() }
        }
      case .resumedByQueue:
        await withCheckedContinuation { continuation in
          DispatchQueue.global().async { continuation.resume() }
        }
      case .childTask:
        async let child: Void = Task.yield()
        await child
      case .detachedTask: await Task.detached { await Task.yield() }.value
      }
    }
  }

  @Test func `the event loops are waited for while one of them is stuck`() async throws {
    let (isStuck, isFree) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    let socket = try ListeningSocket(host: "127.0.0.1", port: 0)
    let port = socket.port
    let server = try Server(on: socket, configuration: .init(eventLoops: 2)) { _ in
      isStuck.signal()
      isFree.wait()
      return .ready(.text("free"))
    }
    await server.waitForEventLoops()
    nonisolated(unsafe) let connection = try RawConnection(port: port)
    connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    try await onOwnThread { isStuck.wait() }
    let wait = Task { await server.waitForEventLoops() }
    let hasEnded = Mutex(false)
    let watch = Task {
      await wait.value
      hasEnded.withLock { $0 = true }
    }
    try await Task.sleep(for: .milliseconds(50))
    #expect(!hasEnded.withLock { $0 })
    isFree.signal()
    await watch.value
    try await use(server) {
      let answer = try connection.receive()
      #expect(answer.text == "free")
    }
  }

  @Test(arguments: Pause.allCases)
  func `a handler is answered however it waits`(pause: Pause) async throws {
    try await withServer { request in
      await pause.wait()
      return await echo(request)
    } client: { port in
      let connection = try RawConnection(port: port)
      for number in 1...200 {
        connection.send("POST /\(number) HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
        #expect(try connection.receive().text == "POST /\(number) hi")
      }
    }
  }

  @Test(arguments: Pause.allCases)
  func `requests from several clients do not get each other's answers`(
    pause: Pause
  ) async throws {
    try await withServer { request in
      await pause.wait()
      return await echo(request)
    } client: { port in
      let connections = try (0..<16).map { _ in try RawConnection(port: port) }
      for round in 0..<40 {
        for (number, connection) in connections.enumerated() {
          connection.send("GET /\(round)/\(number) HTTP/1.1\r\nHost: x\r\n\r\n")
        }
        for (number, connection) in connections.enumerated() {
          #expect(try connection.receive().text == "GET /\(round)/\(number) ")
        }
      }
    }
  }

  /// The handler's end and the event loop meet at any point of the suspension: the handler goes on
  /// on another thread after a while that differs from request to request.
  @Test func `a handler that ends while its connection is suspended is answered`() async throws {
    let number = Atomic(0)
    try await withServer { request in
      let spins = number.add(1, ordering: .relaxed).newValue % 400
      await Task.yield()
      for _ in 0..<spins { _ = number.load(ordering: .sequentiallyConsistent) }
      return await echo(request)
    } client: { port in
      let connections = try (0..<4).map { _ in try RawConnection(port: port) }
      for _ in 0..<1000 {
        for connection in connections { connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n") }
        for connection in connections { #expect(try connection.receive().status == 200) }
      }
    }
  }

  @Test func `400 suspended requests wait and are all answered`() async throws {
    let gate = Gate()
    try await withServer { request in
      await gate.wait()
      return await echo(request)
    } client: { port in
      defer { gate.open() }
      let connections = try (0..<400).map { number in
        let connection = try RawConnection(port: port)
        connection.send("GET /\(number) HTTP/1.1\r\nHost: x\r\n\r\n")
        return connection
      }
      #expect(eventually { gate.waitingCount == 400 })
      gate.open()
      for (number, connection) in connections.enumerated() {
        #expect(try connection.receive().text == "GET /\(number) ")
      }
    }
  }

  @Test func `other requests are answered while one is suspended`() async throws {
    let gate = Gate()
    try await withServer(configuration: .init(eventLoops: 1)) { request in
      if request.target.path == "/slow" { await gate.wait() }
      return await echo(request)
    } client: { port in
      defer { gate.open() }
      let slow = try RawConnection(port: port)
      slow.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET /after HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(eventually { gate.waitingCount == 1 })
      for _ in 1...10 { #expect(try RawConnection(port: port).get("/quick").status == 200) }
      gate.open()
      #expect(try slow.receive().text == "GET /slow ")
      #expect(try slow.receive().text == "GET /after ")
    }
  }

  @Test func `a suspended request outlives the idle timeout`() async throws {
    let gate = Gate()
    try await withServer(configuration: .init(idleTimeoutSeconds: 1)) { request in
      await gate.wait()
      return await echo(request)
    } client: { port in
      defer { gate.open() }
      let connection = try RawConnection(port: port)
      connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(eventually { gate.waitingCount == 1 })
      // Two that are idle from now on are closed, one after the other.
      for _ in 1...2 { #expect(try RawConnection(port: port).receiveAll() == "") }
      gate.open()
      #expect(try connection.receive().text == "GET / ")
    }
  }

  @Test func `a client that leaves while its handler waits harms nobody`() async {
    await #expect(processExitsWith: .success) {
      let gate = Gate()
      let finished = Atomic(0)
      try await withServer { request in
        if request.target.path == "/left" {
          await gate.wait()
          finished.add(1, ordering: .relaxed)
        }
        return Response(status: .ok, body: [UInt8](repeating: 0x61, count: 100_000))
      } client: { port in
        // What the first request of a process opens, and the testing library, is not counted.
        #expect(try RawConnection(port: port).get("/").status == 200)
        let descriptorsMax = openDescriptorCount() + 8
        try leave(port: port, waiting: gate)
        gate.open()
        #expect(eventually { finished.load(ordering: .relaxed) == 50 })
        #expect(eventually { openDescriptorCount() <= descriptorsMax })
        let answer = try RawConnection(port: port).get("/")
        #expect(answer.body.count == 100_000)
      }
    }
  }

  @Test(arguments: [1, 2])
  func `a handler that never suspends stays on the event loop`(eventLoops: Int) async throws {
    let threads = Mutex<[[String]]>([])
    try await withServer(configuration: .init(eventLoops: eventLoops)) { request in
      let before = currentThread()
      let response = await nested(request, depth: 5)
      threads.withLock { $0.append([before, currentThread()]) }
      return response
    } client: { port in
      for _ in 1...20 {
        let connection = try RawConnection(port: port)
        for _ in 1...10 { #expect(try connection.get("/").status == 200) }
      }
    }
    let seen = threads.withLock { $0 }
    #expect(seen.count == 200)
    #expect(seen.allSatisfy { $0[0] == $0[1] && $0[0].hasPrefix("http-") })
    #expect(Set(seen.map { $0[0] }).count <= eventLoops)
  }

  @Test func `a handler that suspends goes on on its event loop`() async throws {
    let threads = Mutex<[[String]]>([])
    try await withServer { request in
      let before = currentThread()
      // Long enough that it cannot be over before the task suspends.
      try? await Task.sleep(for: .milliseconds(50))
      threads.withLock { $0.append([before, currentThread()]) }
      return await echo(request)
    } client: { port in
      let answer = try RawConnection(port: port).get("/")
      #expect(answer.status == 200)
    }
    let seen = threads.withLock { $0 }
    #expect(seen.map { $0[0].hasPrefix("http-") } == [true])
    #expect(seen.map { $0[0] == $0[1] } == [true])
  }
}

/// Sends 50 requests, and leaves once all of them wait; every second client with a reset.
private func leave(port: Int, waiting gate: Gate) throws {
  var connections: [RawConnection] = []
  for number in 0..<50 {
    let connection = try RawConnection(port: port)
    if number.isMultiple(of: 2) { connection.resetWhenClosed() }
    connection.send("GET /left HTTP/1.1\r\nHost: x\r\n\r\n")
    connections.append(connection)
  }
  #expect(eventually { gate.waitingCount == 50 })
}

/// Calls itself as often as rooms call each other, asynchronously.
private func nested(_ request: Request, depth: Int) async -> Response {
  depth == 0 ? await echo(request) : await nested(request, depth: depth - 1)
}

/// The name and the id of the thread that runs this.
private func currentThread() -> String {
  let name = try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)
  return "\(name ?? "") \(pthread_self())"
}
