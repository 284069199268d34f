public import HTTP
internal import HTTPTypes
public import Logging
public import Repository

/// Answers HTTP requests about conversations: finds the route, runs it, turns errors into answers,
/// and logs one line. The rules are the contract's, sections 1 to 5.
public struct API: Sendable {
  let repository: Repository
  let logger: Logger
  private let logsRequests: Bool

  /// - Parameters:
  ///   - repository: Where the conversations are.
  ///   - logger: Gets a line for each request and the cause of each 5xx.
  ///   - logsRequests: False leaves the request lines away; errors are logged all the same.
  public init(repository: Repository, logger: Logger, logsRequests: Bool = true) {
    self.repository = repository
    self.logger = logger
    self.logsRequests = logsRequests
  }

  /// Answers one request. Runs where it is called, and suspends only while a write or a query does.
  public func respond(to request: Request) async -> Response {
    let start = ContinuousClock.now
    let id = RequestID()
    var response: Response
    var code: String?
    do {
      response = try await route(request, id)
    } catch {
      let answer = ErrorAnswer(error)
      response = answer.response
      code = answer.code
      if let cause = error.cause {
        logger.error(
          "request failed",
          metadata: [
            "request_id": "\(id)", "status": "\(response.status.code)", "cause": "\(cause)",
          ])
      }
    }
    let elapsed = ContinuousClock.now - start
    response.headers[.requestID] = id.description
    response.headers[.openAIVersion] = "2020-10-01"
    response.headers[.openAIProcessingMilliseconds] = String(elapsed.wholeMilliseconds)
    if logsRequests { log(request, id, response.status, code, elapsed) }
    return response
  }

  private func route(_ request: Request, _ id: RequestID) async throws(APIError) -> Response {
    try LoopbackGuard.admit(request)
    let (route, parameters) = try Route.find(request)
    let operation = try route.operation(for: request)
    switch request.body {
    case .bytes: break
    case .tooLarge(let bytesMax): throw .bodyTooLarge(bytesMax: bytesMax)
    case .ambiguous: throw .ambiguousBody
    }
    let query = try query(of: request)
    if !operation.takesQuery, let parameter = query.first {
      throw .unknownParameter(parameter.name)
    }
    return try await operation.handler(
      self, Call(id: id, request: request, pathParameters: parameters, query: query))
  }

  private func query(
    of request: Request
  ) throws(APIError) -> [(name: String, value: String)] {
    guard request.target.query != nil else { return [] }
    do {
      return try request.target.queryParameters()
    } catch {
      throw .malformedTarget(error)
    }
  }

  private func log(
    _ request: Request, _ id: RequestID, _ status: HTTPResponse.Status, _ code: String?,
    _ elapsed: Duration
  ) {
    var metadata: Logger.Metadata = [
      "method": "\(request.method.rawValue)",
      // Without the query, which names metadata; and without control characters, which could
      // pretend to be other lines or repaint a terminal.
      "path": "\(request.target.path.visibleASCII)",
      "status": "\(status.code)",
      "milliseconds": "\(elapsed.shownMilliseconds)",
      "request_id": "\(id)",
    ]
    if let code { metadata["code"] = "\(code)" }
    if let clientID = RequestID.clientID(in: request.headers) {
      metadata["client_request_id"] = "\(clientID.visibleASCII)"
    }
    logger.info("request", metadata: metadata)
  }
}

/// One request on its way through a route.
struct Call: Sendable {
  let id: RequestID
  let request: Request
  /// The decoded segments that stand for the `{…}` of the route.
  let pathParameters: [String]
  /// The decoded query parameters, in the order sent.
  let query: [(name: String, value: String)]
}

extension Response {
  /// A JSON answer.
  init(status: HTTPResponse.Status = .ok, json: JSONBody) {
    self.init(
      status: status, headers: [.contentType: "application/json"], body: json.bytes)
  }
}

extension Duration {
  fileprivate var wholeMilliseconds: Int { Int(self / .milliseconds(1)) }

  /// In milliseconds with three decimals, for people.
  fileprivate var shownMilliseconds: String {
    let fraction = String(1000 + Int(self / .microseconds(1)) % 1000).dropFirst()
    return "\(wholeMilliseconds).\(fraction)"
  }
}

extension String {
  /// Everything but visible ASCII percent-encoded.
  fileprivate var visibleASCII: String {
    if utf8.allSatisfy({ (0x21...0x7e).contains($0) }) { return self }
    return utf8.map { byte in
      (0x21...0x7e).contains(byte)
        ? String(UnicodeScalar(byte)) : "%" + String(Int(byte) + 0x100, radix: 16).dropFirst()
    }.joined()
  }
}
