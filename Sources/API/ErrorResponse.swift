internal import Conversations
internal import HTTP
internal import HTTPTypes
internal import JSON
internal import Repository

/// An error as a client sees it (contract, section 4). The one place where an error gets its status,
/// its code and its words.
struct ErrorResponse {
  let status: HTTPResponse.Status
  let message: String
  var param: String?
  var code: String?
  var headers: HeaderFields = [:]

  /// Why a request was refused, for the metrics: the code, or else what the status says.
  var reason: String {
    if let code { return code }
    switch status {
    case .unauthorized: return "missing_api_key"
    case .notFound: return "not_found"
    default: return "internal_error"
    }
  }

  /// How long a client should wait, in seconds, before it repeats what was refused for now.
  static let retryAfterSeconds = "1"

  /// What a 401 must say (RFC 9110, section 15.5.2).
  static let challenge: HeaderFields = [.wwwAuthenticate: "Bearer"]

  /// The whole answer.
  var response: Response {
    let type =
      switch status {
      case .tooManyRequests: "requests"
      case _ where status.kind == .serverError: "server_error"
      default: "invalid_request_error"
      }
    var response = Response(
      status: status,
      json: .error(message: message, type: type, param: param, code: code))
    response.headers.append(contentsOf: headers)
    return response
  }

  init(_ error: APIError) {
    switch error {
    case .access(let error): self.init(error)
    case .parameter(let error): self.init(error)
    case .body(let error): self.init(error)
    case .line(let number, let error): self = ErrorResponse(error).ofLine(number)
    case .unknownRoute(let method, let path):
      self.init(.notFound, "Invalid URL (\(method.rawValue) \(path))")
    case .methodNotAllowed(let method, let path, let allowed):
      self.init(
        .methodNotAllowed,
        "Not allowed to \(method.rawValue) on \(path). "
          + "(HINT: Perhaps you meant to use a different HTTP method?)",
        code: "method_not_supported",
        headers: [.allow: allowed.map(\.rawValue).joined(separator: ", ")])
    case .malformedTarget(let error):
      self.init(
        .badRequest,
        "Invalid URL: '\(error.sequence)' is not the percent-encoding of UTF-8 text.",
        param: error.parameter, code: "invalid_value")
    case .headersTooLarge(let bytesMax):
      self.init(
        .requestHeaderFieldsTooLarge,
        "Request header fields too large. The limit is \(bytesMax) bytes, with 64 for each field, "
          + "cookie and query parameter, and with 'Cookie' counted twice.",
        code: "request_header_fields_too_large")
    case .bodyTooLarge(let bytesMax):
      self.init(
        .contentTooLarge, "Request body too large. The limit is \(bytesMax) bytes.",
        code: "request_too_large")
    case .noRoom:
      self.init(
        .serviceUnavailable,
        "The server has no memory for more requests at the moment. Nothing was stored.",
        code: "unavailable", headers: [.retryAfter: Self.retryAfterSeconds])
    case .ambiguousBody:
      self.init(
        .badRequest,
        "Invalid header fields: the end of the request body is ambiguous, or whom the request is "
          + "for. Send one 'Host', and either one 'Content-Length' or 'Transfer-Encoding: chunked'.",
        code: "invalid_header")
    case .unknownParameter(let name):
      self.init(
        .badRequest, "Unknown parameter: '\(name)'.", param: name, code: "unknown_parameter")
    case .item(let error):
      self.init(error)
    case .metadata(let error):
      self.init(error)
    case .malformedIdempotencyKey:
      self.init(
        .badRequest,
        "Invalid 'Idempotency-Key' header: expected 1 to \(IdempotencyKey.lengthMax) visible ASCII "
          + "characters.",
        code: "invalid_value")
    case .conversationNotFound(let id):
      self.init(.notFound, "Conversation with id '\(id)' not found.")
    case .repository(let error):
      self.init(error)
    case .draining:
      self.init(
        .serviceUnavailable, "Not ready: the server is about to stop.", code: "unavailable",
        headers: [.retryAfter: Self.retryAfterSeconds])
    case .notReady(let error):
      self.init(
        .serviceUnavailable, "Not ready: \(error).",
        code: ErrorResponse(error).code ?? "unavailable",
        headers: [.retryAfter: Self.retryAfterSeconds])
    }
  }

  /// The same error, of a line of the body.
  private func ofLine(_ number: Int) -> ErrorResponse {
    ErrorResponse(
      status, "Line \(number): \(message)", param: param, code: code, headers: headers)
  }

  init(
    _ status: HTTPResponse.Status, _ message: String, param: String? = nil, code: String? = nil,
    headers: HeaderFields = [:]
  ) {
    self.status = status
    self.message = message
    self.param = param
    self.code = code
    self.headers = headers
  }
}
