import API
import Dashboard
import Testing

/// The routes of the web page, which hold no data and need no key.
@Suite struct DashboardRouteTests {
  private static let policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    + "require-trusted-types-for 'script'; trusted-types 'none'"
  private static let asset = "/dashboard/\(Dashboard.version)/app.js"

  @Test(arguments: [false, true])
  func `the page is served to everybody, and asked for again each time`(hasKey: Bool) async throws {
    let service = try Service(.socket)
    if hasKey { _ = try service.makeKey() }
    let answer = try await service.send("GET", "/dashboard")
    #expect(answer.status == 200)
    #expect(Array(answer.body.utf8) == Dashboard.page.bytes)
    #expect(answer.headers["content-type"] == "text/html; charset=utf-8")
    #expect(answer.headers["cache-control"] == "no-cache")
    #expect(answer.eTag == "\"\(Dashboard.version)\"")
    expectPolicies(answer)
    await service.stop()
  }

  @Test(arguments: [
    ("\"\(Dashboard.version)\"", 304), ("W/\"\(Dashboard.version)\"", 304), ("*", 304),
    ("\"a\", \"\(Dashboard.version)\"", 304), ("\"a\"", 200), ("a", 200),
  ])
  func `a page that the browser has is not sent again`(
    ifNoneMatch: String, status: Int
  ) async throws {
    let service = try Service(.inProcess)
    let answer = try await service.send(
      "GET", "/dashboard", headers: [("If-None-Match", ifNoneMatch)])
    #expect(answer.status == status)
    #expect(answer.body.isEmpty == (status == 304))
    #expect(answer.eTag == "\"\(Dashboard.version)\"")
    #expect(answer.headers["cache-control"] == "no-cache")
  }

  @Test(arguments: Dashboard.assets.map(\.name), [false, true])
  func `an asset is served to everybody, and kept for good`(
    name: String, hasKey: Bool
  ) async throws {
    let service = try Service(.inProcess)
    if hasKey { _ = try service.makeKey() }
    let answer = try await service.send("GET", "/dashboard/\(Dashboard.version)/\(name)")
    let file = try #require(Dashboard.assets.first { $0.name == name })
    #expect(answer.status == 200)
    #expect(Array(answer.body.utf8) == file.bytes)
    #expect(answer.headers["content-type"] == file.mediaType)
    #expect(answer.headers["cache-control"] == "public, max-age=31536000, immutable")
    expectPolicies(answer)
  }

  private func expectPolicies(_ answer: Service.Answer) {
    #expect(answer.headers["content-security-policy"] == Self.policy)
    #expect(answer.headers["referrer-policy"] == "no-referrer")
    #expect(answer.headers["cross-origin-opener-policy"] == "same-origin")
    #expect(answer.headers["cross-origin-resource-policy"] == "same-origin")
    #expect(answer.headers["x-content-type-options"] == "nosniff")
  }

  @Test func `with a slash at its end the page is elsewhere, under the same prefix`() async throws {
    let service = try Service(.inProcess)
    let answer = try await service.send("GET", "/dashboard/")
    #expect(answer.status == 308)
    #expect(answer.headers["location"] == "../dashboard")
  }

  @Test(arguments: [
    "/dashboard/0000000000000000/app.js", "/dashboard/\(Dashboard.version)/index.html",
    "/dashboard/\(Dashboard.version)/nope.js", "/dashboard/\(Dashboard.version)/..%2Fapp.js",
  ])
  func `another version or file is not there, and nobody keeps that`(path: String) async throws {
    let service = try Service(.inProcess)
    _ = try service.makeKey()
    let answer = try await service.send("GET", path)
    #expect(answer.status == 404)
    #expect(answer.headers["cache-control"] == "no-store")
    #expect(answer.headers["content-type"] == "application/json")
  }

  @Test(arguments: ["/dashboard", "/dashboard/", asset])
  func `it can be switched off`(path: String) async throws {
    let service = try Service(.inProcess, apiSettings: API.Settings(hasDashboard: false))
    for hasKey in [false, true] {
      if hasKey { _ = try service.makeKey() }
      let answer = try await service.send("GET", path)
      #expect(answer.status == 404)
      #expect(try APIErrorBody(answer.body).message == "Invalid URL (GET \(path))")
    }
  }

  @Test(arguments: ["/dashboard", "/dashboard/", asset])
  func `it is only read`(path: String) async throws {
    let service = try Service(.socket)
    let head = try await service.send("HEAD", path, hasContent: false)
    #expect(head.status == (path.hasSuffix("/") ? 308 : 200))
    let answer = try await service.send("POST", path, json: "{}")
    #expect(answer.status == 405)
    #expect(answer.headers["allow"] == "GET, HEAD")
    await service.stop()
  }
}
