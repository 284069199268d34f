public import HTTP

extension API {
  /// Answers a request on the management listener, which has `/healthz`, `/readyz` and `/metrics` alone
  /// and asks for no API key.
  ///
  /// - Parameter reach: Who can connect to the listener.
  public func respondToManagement(
    _ request: Request, reach: ListeningSocket.Reach
  ) -> Answer {
    respond(to: Progress(request: request, managementReach: reach))
  }

  /// - Throws: `.unknownRoute`, `.managementHostNotLoopback`, `.access(.metricsNotPrivate)`.
  func admitToManagement(
    _ request: Request, routeIndex: Int?, reach: ListeningSocket.Reach
  ) throws(APIError) {
    guard let path = routeIndex.map({ Route.all[$0].path }),
      ["/healthz", "/readyz", "/metrics"].contains(path)
    else { throw .unknownRoute(method: request.method, path: request.target.path) }
    switch reach {
    case .user: break
    case .machine:
      // A web page whose own name leads to loopback names itself here (DNS rebinding).
      let host = request.target.authority ?? request.headers[.host]
      if let host, !LoopbackGuard.isLoopback(host) {
        throw .access(.managementHostNotLoopback(host))
      }
    case .network: if path == "/metrics" { throw .access(.metricsNotPrivate) }
    }
  }
}
