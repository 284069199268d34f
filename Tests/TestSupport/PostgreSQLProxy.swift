import Foundation
import Synchronization

/// Stands between clients and a PostgreSQL server, knows where the messages of its protocol begin and
/// end (https://www.postgresql.org/docs/current/protocol.html), and cuts a connection at one of them.
public final class PostgreSQLProxy: Sendable {
  /// Who sends a message.
  public enum Sender: CaseIterable, Sendable {
    case client
    case server
  }

  /// Where a connection is cut, once.
  public struct Cut: Sendable {
    let sender: Sender
    let message: Int
    let isForwarded: Bool

    /// - Parameters:
    ///   - sender: Whose messages are counted.
    ///   - message: Which one, from 0 on, counted on all connections from now on.
    ///   - isForwarded: Whether it still arrives.
    public init(_ sender: Sender, message: Int, isForwarded: Bool) {
      self.sender = sender
      self.message = message
      self.isForwarded = isForwarded
    }
  }

  /// The folder of the proxy's socket, for the `host` of a URL.
  public let folder: String
  private let upstream: String
  private let listener: Int32
  private let state = Mutex(State())

  private struct State {
    var cut: Cut?
    var messageCount = 0
    var isRefusing = false
  }

  /// - Parameter upstream: The path of the server's socket.
  public init(to upstream: String) throws {
    self.upstream = upstream
    folder = FileManager.default.temporaryDirectory.path + "/px-\(UInt32.random(in: 0...(.max)))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    let code = Self.withAddress(of: "\(folder)/.s.PGSQL.5432") { bind(listener, $0, $1) }
    precondition(code == 0 && listen(listener, 64) == 0, "no socket for the proxy")
    Thread.detachNewThread { [listener] in
      while true {
        let client = accept(listener, nil, nil)
        // `end` has shut the listener down.
        guard client >= 0 else { return }
        Thread.detachNewThread { self.serve(client) }
      }
    }
  }

  /// Cuts one connection from now on.
  public func arm(_ cut: Cut) {
    state.withLock { state in
      state.cut = cut
      state.messageCount = 0
    }
  }

  /// Cuts nothing any more.
  ///
  /// - Returns: Whether nothing was cut since `arm`.
  public func disarm() -> Bool {
    state.withLock { state in
      defer { state.cut = nil }
      return state.cut != nil
    }
  }

  /// Closes each connection that is made from now on.
  public func refuseConnections() {
    state.withLock { $0.isRefusing = true }
  }

  /// Takes connections again.
  public func acceptConnections() {
    state.withLock { $0.isRefusing = false }
  }

  /// Takes no more connections, for good.
  public func end() {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
    try? FileManager.default.removeItem(atPath: folder)
  }

  private func serve(_ client: Int32) {
    let server = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    defer {
      close(client)
      close(server)
    }
    guard !state.withLock(\.isRefusing) else { return }
    guard Self.withAddress(of: upstream, { connect(server, $0, $1) }) == 0 else { return }
    // The first message of a client has no type.
    var fromClient = Stream(typeBytes: 0)
    var fromServer = Stream(typeBytes: 1)
    while true {
      var descriptors = [client, server].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
      guard poll(&descriptors, 2, -1) > 0 else { return }
      if descriptors[0].revents != 0 {
        guard pump(&fromClient, .client, from: client, to: server) else { return }
      }
      if descriptors[1].revents != 0 {
        guard pump(&fromServer, .server, from: server, to: client) else { return }
      }
    }
  }

  /// Forwards what has arrived.
  ///
  /// - Returns: False at the end of the connection.
  private func pump(
    _ stream: inout Stream, _ sender: Sender, from source: Int32, to target: Int32
  ) -> Bool {
    var chunk = [UInt8](repeating: 0, count: 65_536)
    let count = read(source, &chunk, chunk.count)
    guard count > 0 else { return false }
    stream.bytes += chunk[..<count]
    while let message = stream.nextMessage() {
      let cut = isCut(sender)
      guard cut.map(\.isForwarded) ?? true else { return false }
      guard write(target, message, message.count) == message.count else { return false }
      if cut != nil { return false }
    }
    return true
  }

  /// - Returns: The cut, if the connection is cut at this message.
  private func isCut(_ sender: Sender) -> Cut? {
    state.withLock { state in
      guard let cut = state.cut, cut.sender == sender else { return nil }
      defer { state.messageCount += 1 }
      guard state.messageCount == cut.message else { return nil }
      state.cut = nil
      return cut
    }
  }

  private static func withAddress(
    of path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }
}

/// The bytes of one direction that are not forwarded yet.
private struct Stream {
  var bytes: [UInt8] = []
  private var typeBytes: Int

  init(typeBytes: Int) {
    self.typeBytes = typeBytes
  }

  /// Takes the first message, once all of it is there.
  mutating func nextMessage() -> [UInt8]? {
    guard bytes.count >= typeBytes + 4 else { return nil }
    let length = bytes[typeBytes..<typeBytes + 4].reduce(0) { $0 << 8 | Int($1) }
    guard bytes.count >= typeBytes + length else { return nil }
    defer {
      bytes.removeFirst(typeBytes + length)
      typeBytes = 1
    }
    return Array(bytes[..<(typeBytes + length)])
  }
}
