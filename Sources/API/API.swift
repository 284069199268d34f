internal import Conversations
public import HTTP
internal import HTTPTypes
public import Logging
public import Repository

/// Answers HTTP requests about conversations: finds the route, runs it, turns errors into answers,
/// and logs one line. The rules are the contract's, sections 1 to 5.
public struct API: Sendable {
  /// How requests are answered.
  public struct Settings: Sendable {
    /// Whether each request gets a line in the log; errors do all the same.
    public var logsRequests: Bool
    /// The origins of web pages that may use the service, as browsers write them.
    public var corsOrigins: [String]
    /// How many requests a key may send in a minute; 0 for any number.
    public var requestsPerMinuteMax: Int
    /// Whether `/metrics` needs no API key.
    public var hasOpenMetrics: Bool

    /// - Parameters:
    ///   - logsRequests: Whether each request gets a line in the log.
    ///   - corsOrigins: The origins of web pages that may use the service.
    ///   - requestsPerMinuteMax: How many requests a key may send in a minute; 0 for any number.
    ///   - hasOpenMetrics: Whether `/metrics` needs no API key.
    public init(
      logsRequests: Bool = true, corsOrigins: [String] = [], requestsPerMinuteMax: Int = 0,
      hasOpenMetrics: Bool = false
    ) {
      self.logsRequests = logsRequests
      self.corsOrigins = corsOrigins
      self.requestsPerMinuteMax = requestsPerMinuteMax
      self.hasOpenMetrics = hasOpenMetrics
    }
  }

  let repository: Repository
  let logger: Logger
  let metrics: Metrics
  let connections: ConnectionCounts
  let crossOrigin: CrossOrigin
  private let rateLimit: RateLimit?
  private let settings: Settings

  /// - Parameters:
  ///   - repository: Where the conversations are.
  ///   - logger: Gets a line for each request and the cause of each 5xx.
  ///   - settings: How requests are answered.
  ///   - metrics: Where they are counted.
  ///   - connections: The server's counts, for `/metrics`.
  public init(
    repository: Repository, logger: Logger, settings: Settings = Settings(),
    metrics: Metrics = Metrics(), connections: ConnectionCounts = ConnectionCounts()
  ) {
    self.repository = repository
    self.logger = logger
    self.metrics = metrics
    self.connections = connections
    self.settings = settings
    crossOrigin = CrossOrigin(origins: settings.corsOrigins)
    rateLimit = RateLimit(perMinute: settings.requestsPerMinuteMax)
  }

  /// What became known of a request on its way, for its answer's header fields and the metrics.
  private struct Findings {
    var routeIndex: Int?
    var allowance: RateLimit.Allowance?
  }

  /// Answers one request. Runs where it is called, and suspends only while a write or a query does.
  public func respond(to request: Request) async -> Response {
    let start = ContinuousClock.now
    let id = RequestID()
    var findings = Findings()
    var response: Response
    var code: String?
    do {
      response = try await route(request, id, start, &findings)
    } catch {
      let answer = ErrorAnswer(error)
      response = answer.response
      code = answer.code
      metrics.rejected(reason: answer.reason)
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
    // What is answered may be secret and is out of date soon; and nobody shall take it for a page.
    response.headers[.cacheControl] = "no-store"
    response.headers[.xContentTypeOptions] = "nosniff"
    if let allowance = findings.allowance {
      for field in allowance.headers { response.headers.append(field) }
    }
    crossOrigin.expose(&response, to: request)
    metrics.answered(
      route: findings.routeIndex, method: request.method, status: response.status.code,
      duration: elapsed)
    if settings.logsRequests { log(request, id, response.status, code, elapsed) }
    return response
  }

  /// The checks stand in the contract's order: who asks, for what, and only then the rest.
  private func route(
    _ request: Request, _ id: RequestID, _ now: ContinuousClock.Instant,
    _ findings: inout Findings
  ) async throws(APIError) -> Response {
    let found = Result { () throws(APIError) in try Route.find(request) }
    findings.routeIndex = (try? found.get())?.index
    if let answer = crossOrigin.preflight(request) { return answer }
    let access = try isOpen(findings.routeIndex) ? nil : admit(request, now, &findings)
    let match = try found.get()
    let operation = try match.route.operation(for: request)
    if access?.isReadOnly == true, operation.method != .get { throw .keyIsReadOnly }
    switch request.body {
    case .bytes: break
    case .tooLarge(let bytesMax): throw .bodyTooLarge(bytesMax: bytesMax)
    case .withoutRoom: if !operation.isTiny { throw .noRoom }
    case .ambiguous: throw .ambiguousBody
    }
    let query = try query(of: request)
    if !operation.takesQuery, let parameter = query.first {
      throw .unknownParameter(parameter.name)
    }
    return try await operation.handler(
      self,
      Call(
        id: id, request: request, access: access, pathParameters: match.parameters, query: query))
  }

  /// What no route has is not told to strangers either.
  private func isOpen(_ routeIndex: Int?) -> Bool {
    switch routeIndex.map({ Route.all[$0].audience }) ?? .keyHolders {
    case .keyHolders: false
    case .everybody: true
    case .watchers: settings.hasOpenMetrics
    }
  }

  private func admit(
    _ request: Request, _ now: ContinuousClock.Instant, _ findings: inout Findings
  ) throws(APIError) -> Access {
    let access = try authenticate(request)
    if let rateLimit {
      let allowance = rateLimit.take(key: access.keyNumber, now: now)
      findings.allowance = allowance
      guard allowance.retryAfter == nil else { throw .rateLimited(allowance) }
    }
    return access
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
  /// What the client may do; nil where the route is open to all.
  let access: Access?
  /// The decoded segments that stand for the `{…}` of the route.
  let pathParameters: [String]
  /// The decoded query parameters, in the order sent.
  let query: [(name: String, value: String)]

  /// The project that the client works in.
  ///
  /// - Precondition: The route is not open.
  var project: ProjectID { access!.project }
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
