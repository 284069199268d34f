internal import Synchronization

/// What the callbacks of one server share.
final class ServerContext: Sendable {
  let headerBytesMax: Int
  let bodyBytesMax: Int
  let bodiesBytesMax: Int
  let connections: ClientConnections
  let gate: Server.Gate
  let handler: Server.Handler
  /// The last one is shown. The others stay, since a handshake may be at work with one of them, and
  /// GnuTLS does not tell when it is done; they are few.
  private let certificates: Mutex<[Certificate]>
  /// The contents of requests that are not completed, as far as they count.
  private let heldBytes = Atomic<Int>(0)
  /// The contents of their answers.
  let heldAnswerBytes = Atomic<Int>(0)
  /// Set once; every answer from then on closes its connection.
  let isStopping = Atomic<Bool>(false)
  /// Set once, after `isStopping`; requests from then on are dropped.
  let isCutOff = Atomic<Bool>(false)
  /// Requests whose target has arrived and that are not yet completed.
  let requests = Atomic<Int>(0)
  /// Calls of the handler that have not returned.
  let handlersRunning = Atomic<Int>(0)

  init(
    _ configuration: Server.Configuration, connections: ClientConnections,
    certificate: Certificate?, gate: @escaping Server.Gate, handler: @escaping Server.Handler
  ) {
    headerBytesMax = configuration.headerBytesMax
    bodyBytesMax = configuration.bodyBytesMax
    bodiesBytesMax = max(configuration.bodyBytesMax, configuration.bodiesBytesMax)
    self.connections = connections
    self.gate = gate
    self.handler = handler
    certificates = Mutex(certificate.map { [$0] } ?? [])
  }

  /// Counts content that a request keeps.
  ///
  /// - Returns: Whether there is room for it; it is counted all the same.
  func hold(_ count: Int) -> Bool {
    heldBytes.add(count, ordering: .relaxed).newValue <= bodiesBytesMax
  }

  /// The request does not keep it any more.
  func letGo(_ count: Int) {
    heldBytes.subtract(count, ordering: .relaxed)
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

  var isBusy: Bool {
    requests.load(ordering: .acquiring) > 0 || handlersRunning.load(ordering: .acquiring) > 0
  }
}
