internal import HTTP
internal import HTTPTypes

/// What one method of a path does.
struct Operation: Sendable {
  typealias Handler = @Sendable (API, Call) async throws(APIError) -> Response

  let method: HTTPRequest.Method
  /// Whether it has query parameters; one that has none refuses every one.
  let takesQuery: Bool
  let handler: Handler

  static func on(
    _ method: HTTPRequest.Method, takesQuery: Bool = false, _ handler: @escaping Handler
  ) -> Operation {
    Operation(method: method, takesQuery: takesQuery, handler: handler)
  }
}

/// One path and what its methods do.
struct Route: Sendable {
  /// The path, with `{…}` for a segment that is a parameter.
  let path: String
  /// In the order of the `Allow` field.
  let operations: [Operation]
  private let segments: [Segment]

  private enum Segment: Sendable {
    case literal(String)
    case parameter
  }

  /// Every route there is.
  static let all = [
    Route(
      "/v1/conversations",
      .on(.get, takesQuery: true) { api, call async throws(APIError) in
        try await api.listConversations(call)
      },
      .on(.post) { api, call async throws(APIError) in try await api.createConversation(call) }),
    Route(
      "/v1/conversations/{conversation_id}",
      .on(.get) { api, call async throws(APIError) in try api.retrieveConversation(call) },
      .on(.post) { api, call async throws(APIError) in try await api.updateConversation(call) },
      .on(.patch) { api, call async throws(APIError) in try await api.patchConversation(call) },
      .on(.delete) { api, call async throws(APIError) in try await api.deleteConversation(call) }),
    Route("/healthz", .on(.get) { api, _ async throws(APIError) in api.health() }),
    Route("/readyz", .on(.get) { api, _ async throws(APIError) in try await api.readiness() }),
    Route("/openapi.json", .on(.get) { api, _ async throws(APIError) in api.description() }),
  ]

  private init(_ path: String, _ operations: Operation...) {
    self.path = path
    self.operations = operations
    segments = path.dropFirst().split(separator: "/").map {
      $0.hasPrefix("{") ? .parameter : .literal(String($0))
    }
  }

  /// Finds the route of a request's path.
  ///
  /// - Returns: The route and the decoded segments that are parameters.
  /// - Throws: `.unknownRoute`, `.malformedTarget`.
  static func find(
    _ request: Request
  ) throws(APIError) -> (route: Route, parameters: [String]) {
    guard request.target.path.hasPrefix("/") else {
      throw .unknownRoute(method: request.method, path: request.target.path)
    }
    let segments: [String]
    do {
      segments = try request.target.pathSegments()
    } catch {
      throw .malformedTarget(error)
    }
    for route in all {
      if let parameters = route.parameters(in: segments) { return (route, parameters) }
    }
    throw .unknownRoute(method: request.method, path: request.target.path)
  }

  /// Finds what to do for a request's method; HEAD is answered as GET, and the server leaves the
  /// body away.
  ///
  /// - Throws: `.methodNotAllowed`.
  func operation(for request: Request) throws(APIError) -> Operation {
    let method = request.method == .head ? .get : request.method
    guard let found = operations.first(where: { $0.method == method }) else {
      throw .methodNotAllowed(
        method: request.method, path: request.target.path, allowed: allowedMethods)
    }
    return found
  }

  private var allowedMethods: [HTTPRequest.Method] {
    operations.flatMap { $0.method == .get ? [.get, .head] : [$0.method] }
  }

  /// - Returns: nil when the path is another one. A parameter is never empty.
  private func parameters(in candidate: [String]) -> [String]? {
    guard candidate.count == segments.count else { return nil }
    var parameters: [String] = []
    for (segment, text) in zip(segments, candidate) {
      switch segment {
      case .literal(let literal): if !literal.utf8.elementsEqual(text.utf8) { return nil }
      case .parameter: if text.isEmpty { return nil } else { parameters.append(text) }
      }
    }
    return parameters
  }
}
