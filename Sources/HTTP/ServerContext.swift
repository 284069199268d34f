internal import Synchronization

/// What the event loops of one server share.
final class ServerContext: Sendable {
  let headerBytesMax: Int
  let bodyBytesMax: Int
  let bodiesBytesMax: Int
  let connections: ClientConnections
  private let idleMilliseconds: Int64
  private let requestMilliseconds: Atomic<Int64>
  let gate: Server.Gate
  let handler: Server.Handler
  /// The last one is shown. The others stay, since a handshake may be at work with one of them, and
  /// GnuTLS does not tell when it is done; they are few.
  private let certificates: Mutex<[Certificate]>
  /// The contents of requests that are not completed, as far as they count.
  private let heldBytes = Atomic<Int>(0)
  /// The contents of their answers.
  private let heldAnswerBytes = Atomic<Int>(0)
  /// Set once; every answer from then on closes its connection.
  let isStopping = Atomic<Bool>(false)

  init(
    _ configuration: Server.Configuration, connections: ClientConnections,
    certificate: Certificate?, gate: @escaping Server.Gate, handler: @escaping Server.Handler
  ) {
    headerBytesMax = configuration.headerBytesMax
    bodyBytesMax = configuration.bodyBytesMax
    bodiesBytesMax = max(configuration.bodyBytesMax, configuration.bodiesBytesMax)
    self.connections = connections
    idleMilliseconds = Int64(configuration.idleTimeoutSeconds) * 1000
    requestMilliseconds = Atomic(Int64(configuration.requestTimeoutSeconds) * 1000)
    self.gate = gate
    self.handler = handler
    certificates = Mutex(certificate.map { [$0] } ?? [])
  }

  /// Those of a connection that is new.
  var timeouts: ClientConnection.Timeouts {
    ClientConnection.Timeouts(
      idleMilliseconds: idleMilliseconds,
      requestMilliseconds: requestMilliseconds.load(ordering: .relaxed))
  }

  func use(limitsOf configuration: Server.Configuration) {
    requestMilliseconds.store(
      Int64(configuration.requestTimeoutSeconds) * 1000, ordering: .relaxed)
    connections.use(perAddressMax: configuration.connectionsPerAddressMax)
  }

  /// Counts content that a request keeps.
  ///
  /// - Returns: Whether there is room for it; it is counted all the same.
  func hold(_ count: Int) -> Bool {
    heldBytes.add(count, ordering: .relaxed).newValue <= bodiesBytesMax
  }

  /// The request does not keep it any more.
  func letGo(_ count: Int) {
    if count > 0 { heldBytes.subtract(count, ordering: .relaxed) }
  }

  /// Counts the content of an answer, unless it is a small one.
  ///
  /// - Returns: What is to be let go of when it was taken.
  func holdAnswer(_ count: Int) -> Int {
    guard count > Exchange.freeBytes else { return 0 }
    heldAnswerBytes.add(count, ordering: .relaxed)
    return count
  }

  /// The content of an answer is not kept any more.
  func letGoAnswer(_ count: Int) {
    if count > 0 { heldAnswerBytes.subtract(count, ordering: .relaxed) }
  }

  /// Whether the answers that wait to be taken fill the memory for them.
  var isFullOfAnswers: Bool { heldAnswerBytes.load(ordering: .relaxed) > bodiesBytesMax }

  var certificate: Certificate? { certificates.withLock { $0.last } }

  func use(_ certificate: Certificate) {
    certificates.withLock { certificates in
      precondition(!certificates.isEmpty, "a server of plain HTTP shows no certificate")
      certificates.append(certificate)
    }
  }
}
