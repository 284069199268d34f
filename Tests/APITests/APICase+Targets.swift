extension APICase {
  private static func unknown(_ method: String, _ path: String) -> APICase {
    APICase(
      "unknown: \(method) \(path)", method, path,
      expect: .error(404, "Invalid URL (\(method) \(path))"))
  }

  private static func notAllowed(_ method: String, _ path: String, allow: String) -> APICase {
    APICase(
      "not allowed: \(method) \(path)", method, path,
      expect: .error(
        405,
        "Not allowed to \(method) on \(path). "
          + "(HINT: Perhaps you meant to use a different HTTP method?)",
        code: "method_not_supported", headers: ["allow": allow]))
  }

  /// Contract, sections 3 and 4: paths, methods, queries.
  static let targets: [APICase] =
    [
      unknown("POST", "/v1/x"), unknown("GET", "/"), unknown("GET", "/v1/conversations/"),
      unknown("GET", "/v1/conversations/a/b"), unknown("POST", "/v1//conversations"),
      unknown("GET", "/V1/conversations/a"), unknown("GET", "/healthz/"),
      unknown("GET", "healthz"), unknown("OPTIONS", "*"),
    ]
    + ["PUT", "OPTIONS", "TRACE", "FOO"].flatMap { method in
      [
        notAllowed(method, "/v1/conversations", allow: "GET, HEAD, POST"),
        notAllowed(method, "/v1/conversations/x", allow: "GET, HEAD, POST, PATCH, DELETE"),
        notAllowed(method, "/healthz", allow: "GET, HEAD"),
        notAllowed(method, "/openapi.json", allow: "GET, HEAD"),
      ]
    }
    + [
      notAllowed("PATCH", "/v1/conversations", allow: "GET, HEAD, POST"),
      notAllowed("DELETE", "/v1/conversations", allow: "GET, HEAD, POST"),
      notAllowed("PATCH", "/healthz", allow: "GET, HEAD"),
      notAllowed("POST", "/readyz", allow: "GET, HEAD"),
      APICase(
        "a path is compared decoded", "POST", "/v1/%63onversations", body: #"{"x":1}"#,
        expect: .error(400, "Unknown parameter: 'x'.", param: "x", code: "unknown_parameter")),
      APICase(
        "a broken % sequence in the path", "GET", "/v1/conversations/a%zz",
        expect: .error(
          400, "Invalid URL: '%zz' is not the percent-encoding of UTF-8 text.",
          code: "invalid_value")),
      APICase(
        "a % sequence at the end", "GET", "/v1/conversations/a%4",
        expect: .error(
          400, "Invalid URL: '%4' is not the percent-encoding of UTF-8 text.",
          code: "invalid_value")),
      APICase(
        "a path that is not UTF-8", "GET", "/v1/conversations/a%FFb",
        expect: .error(
          400, "Invalid URL: 'a%FFb' is not the percent-encoding of UTF-8 text.",
          code: "invalid_value")),
      APICase(
        "a query that is not UTF-8", "GET", "/v1/conversations/{id}?k%5B=a%FF",
        expect: .error(
          400, "Invalid URL: 'a%FF' is not the percent-encoding of UTF-8 text.", param: "k[",
          code: "invalid_value")),
      APICase(
        "an unknown query parameter", "GET", "/v1/conversations/{id}?include=all",
        expect: .error(
          400, "Unknown parameter: 'include'.", param: "include", code: "unknown_parameter")),
      APICase(
        "an unknown query parameter elsewhere", "GET", "/healthz?a%20b",
        expect: .error(400, "Unknown parameter: 'a b'.", param: "a b", code: "unknown_parameter")),
      APICase("an empty query", "GET", "/healthz?", expect: .ok(#"{"status":"ok"}"#)),
    ]

  private static let emptyList =
    #"{"object":"list","data":[],"first_id":null,"has_more":false,"last_id":null}"#

  private static func refusedHost(
    _ name: String, _ host: String, target: String, headers: [(name: String, value: String)]
  ) -> APICase {
    APICase(
      name, "GET", target, headers: headers,
      expect: .error(
        403,
        "Host '\(host)' is not allowed. While it has no API keys this server answers only requests "
          + "to a loopback name or address, such as 'localhost'.", code: "host_not_allowed"))
  }

  private static func refusedOrigin(_ origin: String) -> APICase {
    APICase(
      "origin \(origin)", "POST", "/v1/conversations",
      headers: [("Host", "localhost:8080"), ("Origin", origin)],
      expect: .error(
        403,
        "Origin '\(origin)' is not allowed. While it has no API keys this server answers no "
          + "requests from web pages of other origins.", code: "origin_not_allowed"))
  }

  /// Loopback only, while there are no keys; what is open to everybody is open at every name.
  static let access: [APICase] =
    ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "127.1.2.3", "[::1]", "[::1]:8080"].map {
      APICase(
        "host \($0)", "GET", "/v1/conversations?limit=1&metadata_absent[]=topic",
        headers: [("Host", $0)], expect: .ok(emptyList))
    }
    + [
      "example.com", "localhost.example.com", "127.0.0.1.example.com", "10.0.0.1", "127.0.0",
      "127.0.0.256",
      "127.+0.0.1", "[::2]", "[::1", "[::1]x", "localhost:80x", "128.0.0.1", "notlocalhost",
    ].map { refusedHost("host \($0)", $0, target: "/v1/conversations", headers: [("Host", $0)]) }
    + [
      "null", "http://localhost", "https://localhost", "http://localhost:8081",
      "http://127.0.0.1:8080", "http://example.com", "https://example.com",
    ].map(refusedOrigin)
    + ["http", "https"].map { scheme in
      APICase(
        "its own origin by \(scheme)", "GET", "/v1/conversations?metadata_absent[]=topic",
        headers: [("Host", "localhost:8080"), ("Origin", "\(scheme)://localhost:8080")],
        expect: .ok(emptyList))
    }
    + [
      refusedHost(
        "the host of an absolute form counts", "example.com",
        target: "http://example.com/v1/conversations", headers: [("Host", "localhost")]),
      refusedHost(
        "the host is checked before the route", "example.com", target: "/nope",
        headers: [("Host", "example.com")]),
      APICase(
        "an open route at another host", "GET", "/healthz",
        headers: [("Host", "example.com"), ("Origin", "http://example.com")],
        expect: .ok(#"{"status":"ok"}"#)),
    ]
}
