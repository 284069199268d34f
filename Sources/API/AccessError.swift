internal import HTTP
internal import HTTPTypes

/// Why whoever asks is not answered.
enum AccessError: Error, Sendable {
  /// A `Host` that is not loopback, while only loopback is served.
  case hostNotLoopback(String)
  /// An `Origin` other than the server itself.
  case originNotOwn(String)
  /// A `Host` other than a loopback name or address, on the management listener.
  case managementHostNotLoopback(String)
  /// `/metrics` on a management listener that others than this machine can reach.
  case metricsNotPrivate
  /// There is no API key, and one is needed.
  case missingKey
  /// An API key that is unknown, revoked or expired; the key.
  case incorrectKey(String)
  /// `OpenAI-Project` names another project than the API key's.
  case otherProject(own: String)
  /// The API key has sent as many requests as it may for now.
  case rateLimited(RateLimit.Allowance)
  /// The API key may only read.
  case keyIsReadOnly
  /// The API key, or whoever needs none, may not manage keys.
  case keyIsNotAdmin
  /// The API key may not read `/metrics`.
  case metricsAreOfAllProjects
  /// Admin keys are neither made nor revoked over HTTP.
  case adminKeyIsNotManagedHere
}

extension ErrorResponse {
  init(_ error: AccessError) {
    switch error {
    case .hostNotLoopback(let host):
      self.init(
        .forbidden,
        "Host '\(host)' is not allowed. While it has no API keys this server answers only "
          + "requests to a loopback name or address, such as 'localhost'.",
        code: "host_not_allowed")
    case .originNotOwn(let origin):
      self.init(
        .forbidden,
        "Origin '\(origin)' is not allowed. While it has no API keys this server answers no "
          + "requests from web pages of other origins.",
        code: "origin_not_allowed")
    case .managementHostNotLoopback(let host):
      self.init(
        .forbidden,
        "Host '\(host)' is not allowed. The management address answers only requests to a loopback "
          + "name or address, such as 'localhost'.",
        code: "host_not_allowed")
    case .metricsNotPrivate:
      self.init(
        .forbidden,
        "Metrics are answered on a management address that is a Unix socket or loopback only.",
        code: "insufficient_permissions")
    case .missingKey:
      self.init(
        .unauthorized, "Missing bearer authentication in header.", headers: Self.challenge)
    case .incorrectKey(let key):
      self.init(
        .unauthorized, "Incorrect API key provided: \(Self.masked(key)).", code: "invalid_api_key",
        headers: Self.challenge)
    case .otherProject(let own):
      self.init(
        .unauthorized,
        "The 'OpenAI-Project' header does not match the project of the API key, which is '\(own)'.",
        code: "invalid_project", headers: Self.challenge)
    case .rateLimited(let allowance):
      let wait = allowance.retryAfter ?? .zero
      self.init(
        .tooManyRequests,
        "Rate limit reached for requests per min (RPM): Limit \(allowance.limit), Requested 1. "
          + "Please try again in \(wait.shown).",
        code: "rate_limit_exceeded",
        headers: [
          .retryAfterMilliseconds: String(wait.milliseconds),
          .retryAfter: String((wait.milliseconds + 999) / 1000),
        ])
    case .keyIsReadOnly:
      self.init(lackingRight: "the API key may only read (GET and HEAD).")
    case .keyIsNotAdmin:
      self.init(
        lackingRight:
          "only an admin key may manage API keys. 'conversationd keys create --admin' on "
          + "the server makes one.")
    case .metricsAreOfAllProjects:
      self.init(
        lackingRight: "metrics count all projects together, so only an admin key of the project "
          + "'default' may read them.")
    case .adminKeyIsNotManagedHere:
      self.init(
        lackingRight: "admin keys are made and revoked with 'conversationd keys' on the server.")
    }
  }

  /// - Parameter words: Which right is missing.
  private init(lackingRight words: String) {
    self.init(
      .forbidden, "You have insufficient permissions for this operation: \(words)",
      code: "insufficient_permissions")
  }
}
