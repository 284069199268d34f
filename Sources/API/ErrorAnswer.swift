internal import Conversations
internal import HTTP
internal import HTTPTypes
internal import JSON
internal import Repository

/// An error as a client sees it (contract, section 4). The one place where an error gets its status,
/// its code and its words.
struct ErrorAnswer {
  let status: HTTPResponse.Status
  let message: String
  var param: String?
  var code: String?
  var headers: HTTPFields = [:]

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
  private static let retryAfterSeconds = "1"

  /// What a 401 must say (RFC 9110, section 15.5.2).
  private static let challenge: HTTPFields = [.wwwAuthenticate: "Bearer"]

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
    for field in headers { response.headers.append(field) }
    return response
  }

  init(_ error: APIError) {
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
      self.init(
        .forbidden,
        "You have insufficient permissions for this operation: the API key may only read (GET and "
          + "HEAD).",
        code: "insufficient_permissions")
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
    case .unsupportedContentType(let type, let supported):
      self.init(
        .badRequest,
        "Unsupported content type: '\(type)'. This API method only accepts "
          + "\(Self.choices(supported, "or")) requests.",
        code: "unsupported_content_type")
    case .json(let error):
      self.init(.badRequest, Self.message(error), code: "invalid_json")
    case .bodyNotObject(let kind):
      self.init(
        .badRequest,
        "Invalid type: expected an object, but got \(Self.kind(kind)) instead.",
        code: "invalid_type")
    case .missingParameter(let name):
      self.init(
        .badRequest, "Missing required parameter: '\(name)'.", param: name,
        code: "missing_required_parameter")
    case .unknownParameter(let name):
      self.init(
        .badRequest, "Unknown parameter: '\(name)'.", param: name, code: "unknown_parameter")
    case .itemsUnsupported:
      self.init(
        .badRequest,
        "Unsupported parameter: 'items'. This server does not store items; leave the parameter "
          + "out, or send null or an empty array.",
        param: "items", code: "unsupported_parameter")
    case .metadataNotObject(let kind):
      self.init(
        .badRequest,
        "Invalid type for 'metadata': expected a metadata object, but got \(Self.kind(kind)) "
          + "instead.",
        param: "metadata", code: "invalid_type")
    case .metadataValueNotString(let key, let kind):
      self.init(
        .badRequest,
        "Invalid type for 'metadata.\(Self.shown(key))': expected a string, but got "
          + "\(Self.kind(kind)) instead.",
        param: "metadata.\(key)", code: "invalid_type")
    case .metadata(let error):
      self.init(error)
    case .repeatedParameter(let name):
      self.init(
        .badRequest, "Invalid '\(name)': the parameter may be given only once.", param: name,
        code: "invalid_value")
    case .parameterNotAnInteger(let name, let value):
      self.init(
        .badRequest,
        "Invalid type for '\(name)': expected an integer, but got \(Self.kind(value)) instead.",
        param: name, code: "invalid_type")
    case .parameterTooSmall(let name, let value, let smallest):
      self.init(
        .badRequest,
        "Invalid '\(name)': integer below minimum value. Expected a value >= \(smallest), but got "
          + "\(value) instead.",
        param: name, code: "integer_below_min_value")
    case .parameterTooLarge(let name, let value, let largest):
      self.init(
        .badRequest,
        "Invalid '\(name)': integer above maximum value. Expected a value <= \(largest), but got "
          + "\(value) instead.",
        param: name, code: "integer_above_max_value")
    case .parameterNotAChoice(let name, let value, let choices):
      self.init(
        .badRequest,
        "Invalid value: '\(value)'. Supported values are: \(Self.choices(choices, "and")).",
        param: name, code: "invalid_value")
    case .parameterNotAnID(let name, let value):
      self.init(
        .badRequest,
        "Invalid '\(name)': '\(Self.shown(value))' is not the id of a conversation. Expected "
          + "'conv_' and 48 lower-case hexadecimal digits.",
        param: name, code: "invalid_value")
    case .query(.tooManyConditions):
      self.init(
        .badRequest,
        "Invalid query: too many conditions. Expected at most \(ConversationQuery.conditionsMax) "
          + "keys in 'metadata', 'metadata_exists' and 'metadata_absent' together.",
        param: "metadata", code: "object_above_max_properties")
    case .query(.tooManyValues(let key)):
      self.init(
        .badRequest,
        "Invalid 'metadata.\(Self.shown(key))': array too long. Expected an array with maximum "
          + "length \(ConversationQuery.valuesMax).",
        param: "metadata.\(key)", code: "array_above_max_length")
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
    case .notReady(let error):
      self.init(
        .serviceUnavailable, "Not ready: \(error).", code: ErrorAnswer(error).code ?? "unavailable",
        headers: [.retryAfter: Self.retryAfterSeconds])
    }
  }

  private init(_ error: MetadataError) {
    switch error {
    case .tooManyPairs(let count):
      self.init(
        .badRequest,
        "Invalid 'metadata': too many properties. Expected an object with at most "
          + "\(Metadata.pairsMax) properties, but got an object with \(count) properties instead.",
        param: "metadata", code: "object_above_max_properties")
    case .keyTooLong(let key, let length):
      self.init(
        .badRequest,
        "Invalid property name in 'metadata': '\(Self.shown(key))' is too long. Expected a string "
          + "with maximum length \(Metadata.keyLengthMax), but got a string with length \(length) "
          + "instead.",
        param: "metadata.\(key)", code: "property_name_above_max_length")
    case .valueTooLong(let key, let length):
      self.init(
        .badRequest,
        "Invalid 'metadata.\(Self.shown(key))': string too long. Expected a string with maximum "
          + "length \(Metadata.valueLengthMax), but got a string with length \(length) instead.",
        param: "metadata.\(key)", code: "string_above_max_length")
    case .keyContainsNUL(let key):
      self.init(
        .badRequest,
        "Invalid property name in 'metadata': '\(Self.shown(key))' contains U+0000. Expected a "
          + "string without it.",
        param: "metadata.\(key)", code: "invalid_value")
    case .valueContainsNUL(let key):
      self.init(
        .badRequest,
        "Invalid 'metadata.\(Self.shown(key))': string contains U+0000. Expected a string without "
          + "it.",
        param: "metadata.\(key)", code: "invalid_value")
    case .duplicateKey(let key):
      self.init(
        .badRequest, "Invalid property name in 'metadata': '\(Self.shown(key))' appears twice.",
        param: "metadata.\(key)", code: "invalid_json")
    }
  }

  private init(_ error: RepositoryError) {
    switch error {
    case .conversationNotFound:
      self.init(.notFound, "Conversation not found.")
    case .metadata(let error):
      self.init(error)
    case .idempotencyKeyReused:
      self.init(
        .unprocessableContent,
        "The 'Idempotency-Key' was used with another request body. Use a new key for a new "
          + "request.",
        code: "idempotency_key_reused")
    case .preconditionFailed(.ifMatch):
      self.init(
        .preconditionFailed,
        "Precondition failed: the conversation's ETag is none of those in 'If-Match'. It was "
          + "changed; read it again.",
        code: "precondition_failed")
    case .preconditionFailed(.ifNoneMatch):
      self.init(
        .preconditionFailed,
        "Precondition failed: the conversation's ETag is one of those in 'If-None-Match'.",
        code: "precondition_failed")
    case .unreadableConversation(let id):
      self.init(
        .internalServerError,
        "The metadata of conversation '\(id)' cannot be shown: what is stored is not valid. "
          + "An update replaces it; 'conversationd check' on the server names what is wrong.",
        headers: [.shouldRetry: "false"])
    case .unavailable(let reason):
      self.init(
        .serviceUnavailable, "\(Self.message(reason)) Nothing was stored.", code: "unavailable",
        headers: [.retryAfter: Self.retryAfterSeconds])
    case .storageFull:
      self.init(
        .serviceUnavailable, "The server's disk is full. Nothing was stored.",
        code: "storage_full", headers: [.retryAfter: Self.retryAfterSeconds])
    case .commitUnknown:
      self.init(
        .internalServerError,
        "The server's disk failed while this request was being stored. Whether it is stored is "
          + "not known: read the conversation again before repeating the request.",
        code: "commit_unknown", headers: [.shouldRetry: "false"])
    case .queryTimeout:
      self.init(
        .serviceUnavailable,
        "The query took too long, or waited too long for others, and was ended. Narrow it: by a "
          + "pair or a key that fewer conversations have, or by a shorter range of 'created_at'.",
        code: "query_timeout", headers: [.shouldRetry: "false"])
    case .storage:
      self.init(
        .internalServerError,
        "The server had an error while processing your request. Its log has the cause under the "
          + "request id.",
        headers: [.shouldRetry: "false"])
    }
  }

  private init(
    _ status: HTTPResponse.Status, _ message: String, param: String? = nil, code: String? = nil,
    headers: HTTPFields = [:]
  ) {
    self.status = status
    self.message = message
    self.param = param
    self.code = code
    self.headers = headers
  }
}
