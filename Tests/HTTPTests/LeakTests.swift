import Foundation
import HTTP
import HTTPTypes
import TestSupport
import Testing

/// What a server leaves behind. Each test counts in a process of its own, where nothing else opens
/// a descriptor or starts a thread.
@Suite(.timeLimit(.minutes(1))) struct LeakTests {
  @Test func `500 servers that start, answer and stop leave nothing`() async {
    await #expect(processExitsWith: .success) {
      func startAnswerStop() async throws {
        try await withServer { request in
          await Task.yield()
          return await echo(request)
        } client: { port in
          let connection = try RawConnection(port: port)
          #expect(try connection.get("/").status == 200)
        }
      }
      // What the first ones open stays: the pools of threads, the queue of events.
      for _ in 1...5 { try await startAnswerStop() }
      let descriptorsMax = openDescriptorCount() + others
      let threadsMax = threadCount() + others
      for _ in 1...500 { try await startAnswerStop() }
      #expect(eventually { openDescriptorCount() <= descriptorsMax })
      #expect(eventually { threadCount() <= threadsMax })
      #expect(eventually { eventLoopCount() == 0 })
    }
  }

  @Test func `500 connections that come and go leave nothing`() async {
    await #expect(processExitsWith: .success) {
      try await withServer { request in
        if request.target.path == "/suspended" { await Task.yield() }
        return await echo(request)
      } client: { port in
        try comeAndGo(port: port, round: 0)
        let descriptorsMax = openDescriptorCount() + others
        for round in 1...500 { try comeAndGo(port: port, round: round) }
        #expect(eventually { openDescriptorCount() <= descriptorsMax })
        #expect(eventLoopCount() == 2)
      }
    }
  }

  @Test func `refused requests leave nothing, whether the client stays or goes`() async {
    await #expect(processExitsWith: .success) {
      try await withServer(configuration: .init(bodyBytesMax: 1 << 20)) { port in
        func refuse() throws -> RawConnection {
          let connection = try RawConnection(port: port)
          connection.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30000000\r\n\r\n")
          #expect(try connection.receive().status == 413)
          return connection
        }
        _ = try refuse()
        let descriptorsMax = openDescriptorCount() + others
        for _ in 1...200 { _ = try refuse() }
        #expect(eventually { openDescriptorCount() <= descriptorsMax })
        let staying = try (1...100).map { _ in try refuse() }
        // The clients' own descriptors remain.
        #expect(eventually { openDescriptorCount() <= descriptorsMax + staying.count })
      }
    }
  }

  /// Stopping at once also meets event loops that have only just begun.
  @Test func `a server that stops at once leaves nothing`() async {
    await #expect(processExitsWith: .success) {
      func startTwoOnOnePort() async throws {
        let socket = try ListeningSocket(host: "127.0.0.1", port: 0)
        let port = socket.port
        let server = try Server(on: socket, configuration: .init(), handler: later(echo))
        #expect(throws: ListenError.self) {
          _ = try ListeningSocket(host: "127.0.0.1", port: port)
        }
        #expect(await server.stop(within: .seconds(90)))
      }
      try await startTwoOnOnePort()
      let descriptorsMax = openDescriptorCount() + others
      for _ in 1...50 { try await startTwoOnOnePort() }
      #expect(openDescriptorCount() <= descriptorsMax)
      #expect(eventually { eventLoopCount() == 0 })
    }
  }

  @Test func `a server that cannot start says why`() async {
    await #expect(processExitsWith: .success) {
      func start() throws(ListenError) {
        let socket = try ListeningSocket(host: "127.0.0.1", port: 0)
        // No descriptor is left for the event loops; a sanitizer needs some at the end of the process.
        var limit = rlimit(rlim_cur: 64, rlim_max: 64)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        var taken: [Int32] = []
        while case let descriptor = dup(1), descriptor >= 0 { taken.append(descriptor) }
        defer { for descriptor in taken { close(descriptor) } }
        _ = try Server(on: socket, configuration: .init(), handler: later(echo))
      }
      #expect(throws: ListenError.cannotStart(errorNumber: EMFILE)) { try start() }
    }
  }
}

/// How many descriptors and threads the pools of the system and the testing library may open
/// meanwhile; far fewer than the repetitions.
private let others = 8

/// One connection of a kind that depends on the round: silent, used, left in the middle, reset.
private func comeAndGo(port: Int, round: Int) throws {
  let connection = try RawConnection(port: port)
  switch round % 6 {
  case 0: #expect(try connection.get("/").status == 200)
  case 1: #expect(try connection.get("/suspended").status == 200)
  case 2: connection.send("GET /suspended HTTP/1.1\r\nHost: x\r\n\r\n")
  case 3:
    connection.send(
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
    #expect(try connection.receive().status == 100)
  case 4: connection.resetWhenClosed()
  default: break
  }
}

/// How many threads of this process are event loops.
private func eventLoopCount() -> Int {
  let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
  return threads.count { thread in
    let name = try? String(contentsOfFile: "/proc/self/task/\(thread)/comm", encoding: .utf8)
    return name?.hasPrefix("http-") == true
  }
}
