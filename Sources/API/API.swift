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
    /// How many requests a key without a limit of its own may send in a minute; 0 for any number.
    public var requestsPerMinuteMax: Int
    /// Whether everybody may read `/metrics`.
    public var hasOpenMetrics: Bool
    /// Whether every request needs an API key, also before the first key was created.
    public var requiresKeys: Bool
    /// The proxies whose `X-Forwarded-For` is believed.
    public var trustedProxies: [NetworkRange]
    /// The types that items may have beside those that this version knows.
    public var moreItemTypes: [String]
    /// Whether the web page is served.
    public var hasDashboard: Bool

    /// - Parameters:
    ///   - logsRequests: Whether each request gets a line in the log.
    ///   - corsOrigins: The origins of web pages that may use the service.
    ///   - requestsPerMinuteMax: How many requests a key may send in a minute; 0 for any number.
    ///   - hasOpenMetrics: Whether everybody may read `/metrics`.
    ///   - requiresKeys: Whether every request needs an API key, also before the first was created.
    ///   - trustedProxies: The proxies whose `X-Forwarded-For` is believed.
    ///   - moreItemTypes: The types that items may have beside those that this version knows.
    ///   - hasDashboard: Whether the web page is served.
    public init(
      logsRequests: Bool = true, corsOrigins: [String] = [], requestsPerMinuteMax: Int = 0,
      hasOpenMetrics: Bool = false, requiresKeys: Bool = false, trustedProxies: [NetworkRange] = [],
      moreItemTypes: [String] = [], hasDashboard: Bool = true
    ) {
      self.logsRequests = logsRequests
      self.corsOrigins = corsOrigins
      self.requestsPerMinuteMax = requestsPerMinuteMax
      self.hasOpenMetrics = hasOpenMetrics
      self.requiresKeys = requiresKeys
      self.trustedProxies = trustedProxies
      self.moreItemTypes = moreItemTypes
      self.hasDashboard = hasDashboard
    }
  }

  let repository: any Store
  let logger: Logger
  let metrics: Metrics
  let connections: ConnectionCounts
  let drain: Drain
  private(set) var crossOrigin: CrossOrigin
  private let rateLimit = RateLimit()
  private(set) var settings: Settings
  private(set) var itemTypes: ItemTypes

  /// - Parameters:
  ///   - repository: Where the conversations are.
  ///   - logger: Gets a line for each request and the cause of each 5xx.
  ///   - settings: How requests are answered.
  ///   - metrics: Where they are counted.
  ///   - connections: The server's counts, for `/metrics`.
  ///   - drain: Tells `/readyz` that the server is about to stop.
  public init(
    repository: any Store, logger: Logger, settings: Settings = Settings(),
    metrics: Metrics = Metrics(), connections: ConnectionCounts = ConnectionCounts(),
    drain: Drain = Drain()
  ) {
    self.repository = repository
    self.logger = logger
    self.metrics = metrics
    self.connections = connections
    self.drain = drain
    self.settings = settings
    itemTypes = ItemTypes(more: settings.moreItemTypes)
    crossOrigin = CrossOrigin(origins: settings.corsOrigins)
  }

  /// The same service with other settings.
  public func with(_ settings: Settings) -> API {
    var api = self
    api.settings = settings
    api.itemTypes = ItemTypes(more: settings.moreItemTypes)
    api.crossOrigin = CrossOrigin(origins: settings.corsOrigins)
    return api
  }

  // Nobody shall take an answer for a page that is none.
  private static let fieldsOfAll: HeaderFields = [
    .openAIVersion: "2020-10-01", .xContentTypeOptions: "nosniff",
  ]
  // What is answered may be secret and is out of date soon.
  private static let fieldsOfMost: HeaderFields = {
    var fields = fieldsOfAll
    fields.append(.cacheControl, "no-store")
    return fields
  }()

  /// A request on its way, and what became known of it for its answer's header fields and the metrics.
  ///
  /// `@unchecked Sendable` because it changes only before its handler begins, and a task that has to wait
  /// until then takes it over from the thread that received the request.
  final class Progress: @unchecked Sendable {
    let request: Request
    let id = RequestID()
    let start = ContinuousClock.now
    /// Who can connect to the management listener; nil for a request of the service itself.
    let managementReach: ListeningSocket.Reach?
    fileprivate(set) var routeIndex: Int?
    fileprivate(set) var access: Access?
    fileprivate(set) var allowance: RateLimit.Allowance?

    init(request: Request, managementReach: ListeningSocket.Reach? = nil) {
      self.request = request
      self.managementReach = managementReach
    }

    /// Whether it is for a file of the web page, which says itself whether it may be kept.
    var isForBrowsers: Bool { routeIndex.map { Route.all[$0].audience } == .browsers }
  }

  /// Answers one request: at once, unless it has to wait for the database.
  public func respond(to request: Request) -> Answer {
    respond(to: Progress(request: request))
  }

  func respond(to progress: Progress) -> Answer {
    let request = progress.request
    do throws(APIError) {
      if case .headersTooLarge(let bytesMax) = request.body {
        throw .headersTooLarge(bytesMax: bytesMax)
      }
      let found = Result { () throws(APIError) in try Route.find(request) }
      let match = try? found.get()
      progress.routeIndex = match?.index
      if progress.managementReach == nil, let answer = crossOrigin.preflight(request) {
        return .ready(finish(progress, answer))
      }
      if try isOpen(progress) { return answer(progress, found, nil) }
      switch repository.look(try lookUp(for: request, about: match?.subject ?? .nothing)) {
      case .ready(let finding): return answer(progress, found, finding)
      case .later(let look):
        return .later { await answer(progress, found, await look()).value }
      }
    } catch {
      return .ready(fail(progress, error))
    }
  }

  /// Decides whether the content of a request is read before all of it is looked at: only that of
  /// clients who may write, so that strangers hold no memory.
  ///
  /// - Parameter request: The request without its content.
  /// - Returns: nil for those who may write. Otherwise the answer; it is the whole one where nobody needs
  ///   a key, since no such route has a use for content.
  public func refuseContent(of request: Request) -> Eventual<Response?> {
    let progress = Progress(request: request)
    progress.routeIndex = try? Route.find(request).index
    do throws(APIError) {
      if try isOpen(progress) || request.method == .options {
        switch respond(to: request) {
        case .ready(let response): return .ready(response)
        case .later(let respond): return .later { await respond() }
        }
      }
      switch repository.look(try lookUp(for: request, about: .nothing)) {
      case .ready(let finding): return .ready(refusal(progress, finding))
      case .later(let look): return .later { refusal(progress, await look()) }
      }
    } catch {
      return .ready(fail(progress, error))
    }
  }

  private func refusal(
    _ progress: Progress, _ finding: Result<Finding, RepositoryError>
  ) -> Response? {
    do throws(APIError) {
      let access = try authenticate(progress.request, finding)
      return access.isReadOnly ? fail(progress, .access(.keyIsReadOnly)) : nil
    } catch {
      return fail(progress, error)
    }
  }

  private func fail(_ progress: Progress, _ error: APIError) -> Response {
    let answer = ErrorResponse(error)
    metrics.rejected(reason: answer.reason)
    if let cause = error.cause {
      logger.error(
        "request failed",
        metadata: [
          "request_id": "\(progress.id)", "status": "\(answer.status.code)", "cause": "\(cause)",
        ])
    }
    return finish(progress, answer.response, code: answer.code)
  }

  // Consumed, so that its fields are added to and not copied.
  private func finish(
    _ progress: Progress, _ response: consuming Response, code: String? = nil
  ) -> Response {
    let elapsed = ContinuousClock.now - progress.start
    response.headers.append(.requestID, progress.id.description)
    response.headers.append(.openAIProcessingMilliseconds, String(elapsed.wholeMilliseconds))
    let saysIfKept = progress.isForBrowsers && response.headers.contains(.cacheControl)
    response.headers.append(contentsOf: saysIfKept ? Self.fieldsOfAll : Self.fieldsOfMost)
    if let allowance = progress.allowance {
      response.headers.append(contentsOf: allowance.headers)
    }
    crossOrigin.expose(&response, to: progress.request)
    metrics.answered(
      route: progress.routeIndex, method: progress.request.method, status: response.status.code,
      duration: elapsed, access: progress.access)
    log(progress, response, code: code, elapsed: elapsed)
    return response
  }

  /// Answers a request of which it is known who asks and what is stored of the thing that it is about.
  /// The checks stand in the contract's order: who asks, for what, and only then the rest.
  ///
  /// - Parameters:
  ///   - found: The route.
  ///   - finding: nil where nobody needs a key.
  private func answer(
    _ progress: Progress, _ found: Result<Route.Match, APIError>,
    _ finding: Result<Finding, RepositoryError>?
  ) -> Answer {
    do throws(APIError) {
      if let finding { try admit(progress, finding) }
      let match = try found.get()
      let operation = try match.operation(for: progress.request)
      let call = try call(progress, match, operation, finding)
      switch operation.handler {
      case .atOnce(let handler): return .ready(finish(progress, try handler(self, call)))
      case .waiting(let handler):
        return .later {
          do throws(APIError) {
            return finish(progress, try await handler(self, call))
          } catch {
            return fail(progress, error)
          }
        }
      }
    } catch {
      return .ready(fail(progress, error))
    }
  }

  private func call(
    _ progress: Progress, _ match: Route.Match, _ operation: Operation,
    _ finding: Result<Finding, RepositoryError>?
  ) throws(APIError) -> Call {
    let request = progress.request
    if let access = progress.access { try authorize(access, for: operation, of: match.route) }
    switch request.body {
    case .bytes, .headersTooLarge: break
    case .tooLarge(let bytesMax): throw .bodyTooLarge(bytesMax: bytesMax)
    case .withoutRoom: if !operation.isTiny { throw .noRoom }
    case .ambiguous: throw .ambiguousBody
    }
    let query = try query(of: request)
    if !operation.takesQuery, let parameter = query.first {
      throw .unknownParameter(parameter.name)
    }
    return Call(
      progress: progress, pathParameters: match.parameters, query: query,
      stored: finding?.flatMap { $0.value } ?? .success(.nothing))
  }

  /// What no route has is not told to strangers either.
  private func isOpen(_ progress: Progress) throws(APIError) -> Bool {
    if let reach = progress.managementReach {
      try admitToManagement(progress.request, routeIndex: progress.routeIndex, reach: reach)
      return true
    }
    return switch progress.routeIndex.map({ Route.all[$0].audience }) ?? .keyHolders {
    case .keyHolders, .administrators: false
    case .everybody: true
    case .browsers: try requireDashboard(progress.request)
    case .watchers: settings.hasOpenMetrics
    }
  }

  private func requireDashboard(_ request: Request) throws(APIError) -> Bool {
    guard settings.hasDashboard else {
      throw .unknownRoute(method: request.method, path: request.target.path)
    }
    return true
  }

  private func admit(
    _ progress: Progress, _ finding: Result<Finding, RepositoryError>
  ) throws(APIError) {
    let access = try authenticate(progress.request, finding)
    progress.access = access
    let perMinute = access.requestsPerMinute ?? settings.requestsPerMinuteMax
    guard perMinute > 0 else { return }
    let allowance = rateLimit.take(
      key: access.keyNumber, perMinute: perMinute, now: progress.start)
    progress.allowance = allowance
    guard allowance.retryAfter == nil else { throw .access(.rateLimited(allowance)) }
  }

  private func query(
    of request: Request
  ) throws(APIError) -> [(name: String, value: String)] {
    guard request.target.hasQuery else { return [] }
    do {
      return try request.target.queryParameters()
    } catch {
      throw .malformedTarget(error)
    }
  }
}

/// One request on its way through a route.
struct Call: Sendable {
  fileprivate let progress: API.Progress
  /// The decoded segments that stand for the `{…}` of the route.
  let pathParameters: [String]
  /// The decoded query parameters, in the order sent.
  let query: [(name: String, value: String)]
  /// What was read of the thing that the request is about, as of the same moment as the key.
  let stored: Result<Finding.Value, RepositoryError>

  var id: RequestID { progress.id }
  var request: Request { progress.request }
  /// What the client may do; nil where the route is open to all.
  var access: Access? { progress.access }
  /// Whether it came in at the management listener.
  var isForManagement: Bool { progress.managementReach != nil }

  /// The project that the client works in.
  ///
  /// - Precondition: The route is not open.
  var project: ProjectID { access!.project }
}

extension Response {
  /// A JSON answer.
  init(status: HTTPResponse.Status = .ok, json: JSONBody) {
    self.init(status: status, headers: Self.jsonFields, body: json.bytes)
  }

  private static let jsonFields: HeaderFields = [.contentType: "application/json"]
}

extension Duration {
  fileprivate var wholeMilliseconds: Int { Int(self / .milliseconds(1)) }
}
