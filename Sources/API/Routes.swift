internal import Conversations
internal import HTTP
internal import HTTPTypes
internal import Repository

/// What one method of a path does.
final class Operation: Sendable {
  /// How it is answered.
  enum Handler: Sendable {
    /// By what was looked up with the API key.
    case atOnce(PromptHandler)
    /// When what it waits for is done.
    case waiting(WaitingHandler)
  }
  typealias PromptHandler = @Sendable (API, Call) throws(APIError) -> Response
  typealias WaitingHandler = @Sendable (API, Call) async throws(APIError) -> Response

  /// What is looked up with the API key: what the path names.
  enum Subject: Sendable {
    case nothing, conversation, item, apiKey
  }

  let method: HTTPRequest.Method
  /// Whether it has query parameters; one that has none refuses every one.
  let takesQuery: Bool
  /// Whether it is answered also when there is no memory for more: whether the service runs is asked
  /// most then.
  let isTiny: Bool
  let subject: Subject
  let handler: Handler

  private init(
    method: HTTPRequest.Method, takesQuery: Bool, isTiny: Bool, subject: Subject, handler: Handler
  ) {
    self.method = method
    self.takesQuery = takesQuery
    self.isTiny = isTiny
    self.subject = subject
    self.handler = handler
  }

  static func on(
    _ method: HTTPRequest.Method, takesQuery: Bool = false,
    _ handler: @escaping WaitingHandler
  ) -> Operation {
    Operation(
      method: method, takesQuery: takesQuery, isTiny: false, subject: .nothing,
      handler: .waiting(handler))
  }

  static func atOnce(
    _ method: HTTPRequest.Method, takesQuery: Bool = false, isTiny: Bool = false,
    reads subject: Subject = .nothing, _ handler: @escaping PromptHandler
  ) -> Operation {
    Operation(
      method: method, takesQuery: takesQuery, isTiny: isTiny, subject: subject,
      handler: .atOnce(handler))
  }
}

/// One path and what its methods do.
final class Route: Sendable {
  /// The path, with `{…}` for a segment that is a parameter.
  let path: String
  /// Who is answered.
  let audience: Audience
  /// In the order of the `Allow` field.
  let operations: [Operation]
  private let bytes: [UInt8]
  /// Where the path's segments are; nil for a parameter.
  private let segments: [Range<Int>?]

  /// Who is answered on a path.
  enum Audience: Sendable {
    /// Who shows an API key, once there are any.
    case keyHolders
    /// Everybody.
    case everybody
    /// Who shows an API key that may manage keys and move whole projects.
    case administrators
    /// Who shows such a key of the default project, once there are any, or everybody, where a setting
    /// says so.
    case watchers
    /// Everybody, unless a setting says that there is no web page.
    case browsers
  }

  /// Every route there is.
  static let all = [
    Route(
      "/v1/conversations",
      .on(.get, takesQuery: true) { api, call async throws(APIError) in
        try await api.listConversations(call)
      },
      .on(.post) { api, call async throws(APIError) in try await api.createConversation(call) }),
    // Before the route whose parameter they could be.
    Route(
      "/v1/conversations/metadata_keys",
      .on(.get, takesQuery: true) { api, call async throws(APIError) in
        try await api.listMetadataKeys(call)
      }),
    Route(
      "/v1/conversations/metadata_values",
      .on(.get, takesQuery: true) { api, call async throws(APIError) in
        try await api.listMetadataValues(call)
      }),
    Route(
      "/v1/conversations/count",
      .on(.get, takesQuery: true) { api, call async throws(APIError) in
        try await api.countConversations(call)
      }),
    Route(
      "/v1/conversations/{conversation_id}",
      .atOnce(.get, reads: .conversation) { api, call throws(APIError) in
        try api.retrieveConversation(call)
      },
      .on(.post) { api, call async throws(APIError) in try await api.updateConversation(call) },
      .on(.patch) { api, call async throws(APIError) in try await api.patchConversation(call) },
      .on(.delete) { api, call async throws(APIError) in try await api.deleteConversation(call) }),
    Route(
      "/v1/conversations/{conversation_id}/items",
      .on(.get, takesQuery: true) { api, call async throws(APIError) in
        try await api.listItems(call)
      },
      .on(.post, takesQuery: true) { api, call async throws(APIError) in
        try await api.createItems(call)
      }),
    Route(
      "/v1/conversations/{conversation_id}/items/{item_id}",
      .on(.delete) { api, call async throws(APIError) in try await api.deleteItem(call) },
      .atOnce(.get, takesQuery: true, reads: .item) { api, call throws(APIError) in
        try api.retrieveItem(call)
      }),
    Route(
      "/v1/conversations/{conversation_id}/metadata_history",
      .on(.get, takesQuery: true) { api, call async throws(APIError) in
        try await api.listMetadataHistory(call)
      }),
    Route(
      "/v1/conversations/{conversation_id}/metadata_history/{version}/restore",
      .on(.post) { api, call async throws(APIError) in try await api.restoreMetadata(call) }),
    Route(
      "/v1/me",
      .atOnce(.get, reads: .apiKey) { api, call throws(APIError) in
        try api.retrieveOwnKey(call)
      }),
    Route(
      "/v1/api_keys", for: .administrators,
      .on(.get) { api, call async throws(APIError) in try await api.listKeys(call) },
      .on(.post) { api, call async throws(APIError) in try await api.createKey(call) }),
    Route(
      "/v1/api_keys/{name}", for: .administrators,
      .on(.delete) { api, call async throws(APIError) in try await api.revokeKey(call) }),
    Route(
      "/v1/export", for: .administrators,
      .on(.get, takesQuery: true) { api, call async throws(APIError) in
        try await api.exportConversations(call)
      }),
    Route(
      "/v1/import", for: .administrators,
      .on(.post, takesQuery: true) { api, call async throws(APIError) in
        try await api.importConversations(call)
      }),
    Route(
      "/healthz", for: .everybody,
      .atOnce(.get, isTiny: true) { api, _ throws(APIError) in api.health() }),
    Route(
      "/readyz", for: .everybody,
      .atOnce(.get, isTiny: true) { api, _ throws(APIError) in try api.readiness() }),
    Route(
      "/openapi.json", for: .everybody,
      .atOnce(.get) { api, _ throws(APIError) in api.description() }),
    Route(
      "/metrics", for: .watchers,
      .atOnce(.get) { api, call throws(APIError) in api.measurements(call) }),
    Route(
      "/dashboard", for: .browsers,
      .atOnce(.get) { api, call throws(APIError) in api.dashboard(call) }),
    Route(
      "/dashboard/", for: .browsers,
      .atOnce(.get) { api, _ throws(APIError) in api.dashboardWithSlash() }),
    Route(
      "/dashboard/{version}/{file}", for: .browsers,
      .atOnce(.get) { api, call throws(APIError) in try api.dashboardAsset(call) }),
  ]

  private init(_ path: String, for audience: Audience = .keyHolders, _ operations: Operation...) {
    self.path = path
    self.audience = audience
    self.operations = operations
    bytes = Array(path.utf8)
    segments = bytes.dropFirst().split(
      separator: UInt8(ascii: "/"), omittingEmptySubsequences: false
    ).map { $0.first == UInt8(ascii: "{") ? nil : $0.indices }
  }

  /// A route that a path belongs to.
  struct Match: Sendable {
    let route: Route
    /// Its place in `all`.
    let index: Int
    /// The decoded segments that are parameters.
    let parameters: [String]
    private let operation: Operation?

    /// - Parameter method: The request's. HEAD is answered as GET, and the server leaves the body away.
    fileprivate init(
      _ route: Route, index: Int, parameters: [String], method: HTTPRequest.Method
    ) {
      self.route = route
      self.index = index
      self.parameters = parameters
      let method = method == .head ? .get : method
      operation = route.operations.first { $0.method == method }
    }

    /// What to do for the request's method.
    ///
    /// - Throws: `.methodNotAllowed`.
    func operation(for request: Request) throws(APIError) -> Operation {
      guard let operation else {
        throw .methodNotAllowed(
          method: request.method, path: request.target.path, allowed: route.allowedMethods)
      }
      return operation
    }

    /// What is looked up with the API key. What cannot be an id is nothing.
    var subject: LookUp.Subject {
      switch operation?.subject {
      case nil, .nothing: .nothing
      case .apiKey: .apiKey
      case .conversation:
        ConversationID(parameters[0]).map { .conversation($0) } ?? .nothing
      case .item:
        ConversationID(parameters[0]).map { .item(parameters[1], of: $0) } ?? .nothing
      }
    }
  }

  /// Finds the route of a request's path.
  ///
  /// - Throws: `.unknownRoute`, `.malformedTarget`.
  static func find(_ request: Request) throws(APIError) -> Match {
    guard request.target.isAbsolutePath else {
      throw .unknownRoute(method: request.method, path: request.target.path)
    }
    let segments: RequestTarget.PathSegments
    do {
      segments = try request.target.pathSegments()
    } catch {
      throw .malformedTarget(error)
    }
    for index in all.indices {
      let route = all[index]
      if let parameters = route.parameters(in: segments) {
        return Match(route, index: index, parameters: parameters, method: request.method)
      }
    }
    throw .unknownRoute(method: request.method, path: request.target.path)
  }

  fileprivate var allowedMethods: [HTTPRequest.Method] {
    operations.flatMap { $0.method == .get ? [.get, .head] : [$0.method] }
  }

  /// - Returns: nil when the path is another one. A parameter is never empty.
  private func parameters(in candidate: RequestTarget.PathSegments) -> [String]? {
    guard candidate.count == segments.count else { return nil }
    let (bytes, segments) = (bytes, segments)
    for index in segments.indices {
      if let literal = segments[index] {
        guard candidate.isSame(at: index, as: bytes.span.extracting(literal)) else { return nil }
      } else if candidate.isEmpty(at: index) {
        return nil
      }
    }
    var parameters: [String] = []
    for index in segments.indices where segments[index] == nil {
      parameters.append(candidate[index])
    }
    return parameters
  }
}
