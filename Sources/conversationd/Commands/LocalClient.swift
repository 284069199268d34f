import Glibc
import HTTP

/// Asks a server on this machine, over HTTP without TLS.
struct LocalClient {
  /// How long a request may take, from the connection to the end of the answer.
  private static let timeout = Duration.seconds(5)
  private static let answerBytesMax = 16 << 20

  let address: ListenAddress

  /// An answer without its header fields.
  struct Answer {
    let status: Int
    let body: Substring
  }

  /// Where a server with these settings answers without TLS: its management listener, if it has one.
  ///
  /// - Throws: `.configuration` when it does so nowhere, or at a port that nobody knows.
  init(_ settings: Settings) throws(Failure) {
    if let management = settings.managementAddress {
      address = management
    } else if settings.tls == nil {
      address = settings.addresses[0]
    } else {
      throw Failure(
        .configuration,
        "the server is asked without TLS: set 'management.address', for it and for this command")
    }
    if case .host(_, 0) = address {
      throw Failure(.configuration, "the port of the server is not known: the settings say 0")
    }
  }

  /// Sends a GET request on a connection of its own.
  ///
  /// - Throws: `.unavailable` when there is no answer.
  func get(_ path: String) throws(Failure) -> Answer {
    let deadline = ContinuousClock.now + Self.timeout
    let descriptor: Int32
    do {
      descriptor = try connected(by: deadline)
    } catch {
      throw Failure(.unavailable, "no server answers at \(address): \(error)")
    }
    defer { close(descriptor) }
    let request = Array("GET \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8)
    guard write(descriptor, request, request.count) == request.count,
      let answer = Self.parse(Self.readAll(descriptor, by: deadline))
    else {
      throw Failure(
        .unavailable, "what listens at \(address) did not answer in HTTP, or not in time")
    }
    return answer
  }

  private func connected(by deadline: ContinuousClock.Instant) throws(SystemError) -> Int32 {
    switch address {
    case .unix(let path):
      guard let unix = UnixAddress(path) else { throw SystemError(number: ENAMETOOLONG) }
      return try unix.withPointer { address, length in
        Result { () throws(SystemError) in
          try Self.connected(AF_UNIX, to: address, length, by: deadline)
        }
      }.get()
    case .host(let host, let port):
      return try Self.connected(host: host, port: port, by: deadline)
    }
  }

  private static func connected(
    host: String, port: Int, by deadline: ContinuousClock.Instant
  ) throws(SystemError) -> Int32 {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_NUMERICSERV
    var addresses: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, String(port), &hints, &addresses) == 0 else {
      throw SystemError(number: EADDRNOTAVAIL)
    }
    defer { freeaddrinfo(addresses) }
    var failure = SystemError(number: EADDRNOTAVAIL)
    var candidate = addresses
    while let address = candidate?.pointee {
      do throws(SystemError) {
        return try connected(
          address.ai_family, to: address.ai_addr, address.ai_addrlen, by: deadline)
      } catch {
        failure = error
      }
      candidate = address.ai_next
    }
    throw failure
  }

  private static func connected(
    _ family: Int32, to address: UnsafePointer<sockaddr>, _ length: socklen_t,
    by deadline: ContinuousClock.Instant
  ) throws(SystemError) -> Int32 {
    let descriptor = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw SystemError(number: errno) }
    // SO_SNDTIMEO limits connect(2) too (socket(7)).
    limit(SO_SNDTIMEO, of: descriptor, to: deadline)
    guard connect(descriptor, address, length) == 0 else {
      let error = SystemError(number: errno == EINPROGRESS ? ETIMEDOUT : errno)
      close(descriptor)
      throw error
    }
    return descriptor
  }

  /// Lets the calls that a socket option is about take until the deadline.
  private static func limit(
    _ option: Int32, of descriptor: Int32, to deadline: ContinuousClock.Instant
  ) {
    // Not 0, which is no limit.
    let microseconds = max(1, Int((deadline - .now) / .microseconds(1)))
    var timeout = timeval(
      tv_sec: microseconds / 1_000_000, tv_usec: suseconds_t(microseconds % 1_000_000))
    setsockopt(
      descriptor, SOL_SOCKET, option, &timeout, socklen_t(MemoryLayout<timeval>.size))
  }

  private static func readAll(
    _ descriptor: Int32, by deadline: ContinuousClock.Instant
  ) -> [UInt8] {
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 64 << 10)
    while bytes.count < answerBytesMax, ContinuousClock.now < deadline {
      limit(SO_RCVTIMEO, of: descriptor, to: deadline)
      let count = read(descriptor, &piece, piece.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      bytes += piece[..<count]
    }
    return bytes
  }

  /// - Returns: nil for what is not a whole answer with a Content-Length.
  private static func parse(_ bytes: [UInt8]) -> Answer? {
    let text = String(decoding: bytes, as: UTF8.self)
    guard let end = text.firstRange(of: "\r\n\r\n") else { return nil }
    let lines = text[..<end.lowerBound].split(separator: "\r\n")
    let body = text[end.upperBound...]
    let field = lines.first { $0.lowercased().hasPrefix("content-length: ") }
    guard let field, let words = lines.first?.split(separator: " "),
      Int(field.dropFirst("content-length: ".count)) == body.utf8.count,
      words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1])
    else { return nil }
    return Answer(status: status, body: body)
  }
}
