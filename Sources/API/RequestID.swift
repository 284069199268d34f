internal import Conversations
internal import HTTP
internal import HTTPTypes
internal import Synchronization

/// The name of one request, for its client (`x-request-id`) and the log: `req_` and 32 hexadecimal
/// digits.
struct RequestID: CustomStringConvertible, Sendable {
  let description: String

  /// The most characters of a client's own id that the log takes.
  private static let clientIDLengthMax = 512

  private static let secret = UInt64.random(in: 0...(.max))
  private static let run = UInt64.random(in: 0...(.max))
  private static let count = Atomic<UInt64>(0)

  /// Counts, and hides the count by a keyed hash (SipHash), so that no client learns how many requests
  /// there were; the other half tells one run of the service from another. To draw each from the system's
  /// generator would take two calls of the system.
  init() {
    var hasher = Hasher()
    hasher.combine(Self.secret)
    hasher.combine(Self.count.add(1, ordering: .relaxed).oldValue)
    let digits = UInt128(UInt64(bitPattern: Int64(hasher.finalize())))
    description = String("req_", hexadecimal: digits << 64 | UInt128(Self.run))
  }

  /// The client's own id, when it sent one that may stand in a log: visible ASCII and spaces.
  static func clientID(in headers: HeaderFields) -> String? {
    guard let id = headers[.clientRequestID], !id.isEmpty,
      id.utf8.count <= clientIDLengthMax,
      id.utf8.allSatisfy({ (0x20...0x7e).contains($0) })
    else { return nil }
    return id
  }
}

extension HTTPField.Name {
  static let requestID = Self("x-request-id")!
  static let clientRequestID = Self("x-client-request-id")!
  static let openAIProject = Self("openai-project")!
  static let openAIVersion = Self("openai-version")!
  static let openAIProcessingMilliseconds = Self("openai-processing-ms")!
  static let shouldRetry = Self("x-should-retry")!
  static let idempotencyKey = Self("idempotency-key")!
  static let idempotentReplayed = Self("idempotent-replayed")!
  static let retryAfterMilliseconds = Self("retry-after-ms")!
  static let rateLimitRequests = Self("x-ratelimit-limit-requests")!
  static let rateLimitRemaining = Self("x-ratelimit-remaining-requests")!
  static let rateLimitReset = Self("x-ratelimit-reset-requests")!
  static let host = Self("host")!
}
