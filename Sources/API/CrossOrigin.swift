internal import HTTP
internal import HTTPTypes

/// Which web pages of other origins may use the service: those on a list
/// (https://fetch.spec.whatwg.org/#http-cors-protocol).
struct CrossOrigin: Sendable {
  /// As browsers write them; empty allows none.
  let origins: [String]

  private static let preflightSeconds = 600
  /// How much a page may ask for in `Access-Control-Request-Headers`: names of fields, which the answer
  /// repeats, and whose room is limited.
  private static let requestedHeadersBytesMax = 1024
  /// What else than `Content-Type` and its like the scripts of a page may read.
  private static let exposed = [
    "accept-encoding", "etag", "idempotent-replayed", "openai-processing-ms", "openai-version",
    "retry-after", "retry-after-ms", "x-next-after", "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests", "x-request-id",
    "x-should-retry",
  ].joined(separator: ", ")

  /// Answers the question of a browser whether a page may send a request.
  ///
  /// - Returns: nil when the request is no such question, or comes from an origin that is not allowed.
  func preflight(_ request: Request) -> Response? {
    guard request.method == .options, allows(request),
      request.headers[.accessControlRequestMethod] != nil
    else { return nil }
    var headers: HeaderFields = [
      .accessControlAllowMethods: "GET, HEAD, POST, PATCH, DELETE",
      .accessControlMaxAge: String(Self.preflightSeconds),
    ]
    // Who may send requests may send any field: which there are is not the list's matter.
    if let fields = request.headers[.accessControlRequestHeaders],
      fields.utf8.count <= Self.requestedHeadersBytesMax
    {
      headers[.accessControlAllowHeaders] = fields
    }
    return Response(status: .noContent, headers: headers)
  }

  /// Whether the request comes from a page of an allowed origin.
  func allows(_ request: Request) -> Bool {
    guard !origins.isEmpty, let origin = request.headers[.origin] else { return false }
    return origins.contains { $0.utf8.elementsEqual(origin.utf8) }
  }

  /// Lets the page read the answer, also when it is an error.
  func expose(_ response: inout Response, to request: Request) {
    guard !origins.isEmpty else { return }
    response.headers[.vary] = "Origin"
    guard allows(request) else { return }
    response.headers[.accessControlAllowOrigin] = request.headers[.origin]
    response.headers[.accessControlExposeHeaders] = Self.exposed
  }
}
