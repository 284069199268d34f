import Glibc

/// A blocking TCP connection to 127.0.0.1 that sends and receives bytes as they are, for tests of
/// what HTTP libraries would never send.
public final class RawConnection {
  private let descriptor: Int32
  private var received: [UInt8] = []

  /// An answer, taken apart.
  public struct Answer: Sendable {
    /// The status code.
    public let status: Int
    /// The header fields, names in lower case.
    public let headers: [String: String]
    /// The content.
    public let body: [UInt8]

    /// The content as text.
    public var text: String { String(decoding: body, as: UTF8.self) }
  }

  /// What went wrong with a connection.
  public enum Failure: Error {
    /// The port refuses connections.
    case refused
    /// The server closed the connection in the middle of an answer.
    case closed(after: String)
    /// Nothing came for `timeoutSeconds`.
    case timedOut
  }

  /// Connects.
  ///
  /// - Parameter receiveBufferBytes: How much the system keeps for who does not receive; nil for what
  ///   it sees fit, which may be megabytes.
  public init(port: Int, timeoutSeconds: Int = 10, receiveBufferBytes: Int32? = nil) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    if var receiveBufferBytes {
      // Before it connects, since the window is offered then (tcp(7)).
      setsockopt(
        descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBufferBytes,
        socklen_t(MemoryLayout<Int32>.size))
    }
    var timeout = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port)).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    let code = withUnsafePointer(to: &address) { address in
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    // `deinit` runs also when a class's initialiser throws, and closes the descriptor.
    guard code == 0 else { throw Failure.refused }
  }

  deinit {
    Glibc.close(descriptor)
  }

  /// Sends all bytes; a server that has closed already is not an error here.
  ///
  /// - Returns: False when the server has closed already.
  @discardableResult
  public func send(_ bytes: some Collection<UInt8>) -> Bool {
    var rest = Array(bytes)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count < 0, errno == EINTR { continue }
      if count <= 0 { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }

  /// Sends text.
  public func send(_ text: String) {
    send(Array(text.utf8))
  }

  /// Tells the server that nothing more comes.
  public func finishSending() {
    shutdown(descriptor, Int32(SHUT_WR))
  }

  /// Makes the connection end with a reset instead of an orderly close (socket(7), SO_LINGER).
  public func resetWhenClosed() {
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<Glibc.linger>.size))
  }

  /// Receives one answer; what follows it is kept for the next call.
  ///
  /// - Parameter hasBody: False for the answer to a HEAD request.
  public func receive(hasBody: Bool = true) throws -> Answer {
    var end: Int?
    while end == nil {
      end = received.indices.dropFirst(3).first {
        received[($0 - 3)...$0].elementsEqual("\r\n\r\n".utf8)
      }
      if end == nil { try receiveMore() }
    }
    let lines = String(decoding: received[..<end!], as: UTF8.self).split(separator: "\r\n")
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      let halves = line.split(separator: ":", maxSplits: 1)
      headers[halves[0].lowercased()] = String(halves.last!.drop { $0 == " " })
    }
    let count = hasBody ? Int(headers["content-length"] ?? "0")! : 0
    while received.count < end! + 1 + count { try receiveMore() }
    let body = Array(received[(end! + 1)..<(end! + 1 + count)])
    received.removeFirst(end! + 1 + count)
    return Answer(
      status: Int(lines[0].split(separator: " ")[1])!, headers: headers, body: body)
  }

  /// Receives everything until the server closes the connection.
  public func receiveAll() throws -> String {
    do {
      while true { try receiveMore() }
    } catch Failure.closed {
      defer { received = [] }
      return String(decoding: received, as: UTF8.self)
    }
  }

  /// Receives what is there, or waits for it; `receive` and `receiveAll` return it later.
  ///
  /// - Parameter bytesMax: At most so much of it.
  public func receiveMore(bytesMax: Int = 64 * 1024) throws {
    var piece = [UInt8](repeating: 0, count: bytesMax)
    var count: Int
    repeat {
      count = recv(descriptor, &piece, piece.count, 0)
      // A process that was stopped and goes on finds itself interrupted (signal(7)).
    } while count < 0 && errno == EINTR
    if count < 0, errno == EAGAIN { throw Failure.timedOut }
    if count <= 0 { throw Failure.closed(after: String(decoding: received, as: UTF8.self)) }
    received += piece[..<count]
  }
}

/// How many descriptors this process has open.
public func openDescriptorCount() -> Int {
  countEntries(of: "/proc/self/fd")
}

/// How many threads this process has.
public func threadCount() -> Int {
  countEntries(of: "/proc/self/task")
}

private func countEntries(of folder: String) -> Int {
  guard let entries = opendir(folder) else { return 0 }
  defer { closedir(entries) }
  var count = 0
  while readdir(entries) != nil { count += 1 }
  return count
}
