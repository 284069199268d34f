internal import Conversations
internal import Dashboard
internal import HTTP
internal import HTTPTypes

extension API {
  /// `GET /dashboard`: the web page.
  func dashboard(_ call: Call) -> Response {
    var response = Response(Dashboard.page, cacheControl: "no-cache")
    response.headers[.eTag] = "\"\(Dashboard.version)\""
    if let field = call.request.headers[.ifNoneMatch], Self.namesThePage(field) {
      response.status = .notModified
    }
    return response
  }

  /// `GET /dashboard/`: relative URLs in the page start at the folder that `/dashboard` is in, so it
  /// is served there alone.
  func dashboardWithSlash() -> Response {
    // Relative, since a proxy may have put a prefix before the path.
    Response(status: .permanentRedirect, headers: [.location: "../dashboard"])
  }

  /// `GET /dashboard/{version}/{file}`: what the page loads.
  func dashboardAsset(_ call: Call) throws(APIError) -> Response {
    let (version, name) = (call.pathParameters[0], call.pathParameters[1])
    guard version.hasSameBytes(as: Dashboard.version),
      let file = Dashboard.assets.first(where: { $0.name.hasSameBytes(as: name) })
    else { throw .unknownRoute(method: call.request.method, path: call.request.target.path) }
    // The path has a hash of the content.
    return Response(file, cacheControl: "public, max-age=31536000, immutable")
  }

  /// The comparison is the weak one (RFC 9110, section 13.1.2).
  private static func namesThePage(_ ifNoneMatch: String) -> Bool {
    ifNoneMatch.hasSameBytes(as: "*")
      || EntityTag.list(ifNoneMatch)?.contains { $0.opaque == Dashboard.version } == true
  }
}

extension Response {
  /// What browsers may do with a file of the page: run its scripts, ask this very origin, and nothing
  /// else (https://www.w3.org/TR/CSP3/).
  private static let policy = [
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'",
    "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
    "require-trusted-types-for 'script'", "trusted-types 'none'",
  ].joined(separator: "; ")

  fileprivate init(_ file: Dashboard.File, cacheControl: String) {
    self.init(
      status: .ok,
      headers: [
        .contentType: file.mediaType, .cacheControl: cacheControl,
        .contentSecurityPolicy: Self.policy, .referrerPolicy: "no-referrer",
        .crossOriginOpenerPolicy: "same-origin", .crossOriginResourcePolicy: "same-origin",
      ], body: file.bytes)
  }
}

extension HTTPField.Name {
  fileprivate static let crossOriginOpenerPolicy = Self("cross-origin-opener-policy")!
  fileprivate static let referrerPolicy = Self("referrer-policy")!
}
