internal import Conversations
internal import HTTP
internal import HTTPTypes
internal import JSON

/// What is wrong with a body, apart from its size and the rules of what is in it.
enum BodyError: Error, Sendable {
  /// A body that is encoded, as `Content-Encoding` says.
  case unsupportedContentEncoding(String)
  /// A body of another media type.
  case unsupportedContentType(String, supported: [String])
  /// The body cannot be read as JSON.
  case json(JSONError)
  /// The body is JSON, but not an object.
  case notObject(JSON.Kind)
  /// A required member is missing.
  case missingParameter(String)
  /// A member is of another kind than it must be.
  case wrongType(String, expected: JSON.Kind, JSON.Kind)
  /// An array has not as many elements as another.
  case wrongCount(String, expected: Int, Int)
  /// The lines of an import are more than one request may bring.
  case tooManyLines(Int)
  /// The name of an API key cannot be one.
  case keyName(APIKeyNameError)
  /// `metadata` is neither an object nor null.
  case metadataNotObject(JSON.Kind)
  /// A value in `metadata` is not a string.
  case metadataValueNotString(key: String, JSON.Kind)
}

extension ErrorResponse {
  init(_ error: BodyError) {
    switch error {
    case .unsupportedContentEncoding(let encoding):
      self.init(
        .unsupportedMediaType,
        "Unsupported content encoding: '\(encoding)'. This API only accepts 'identity', a body as "
          + "it is.",
        code: "unsupported_content_encoding", headers: [.acceptEncoding: "identity"])
    case .unsupportedContentType(let type, let supported):
      self.init(
        .badRequest,
        "Unsupported content type: '\(type)'. This API method only accepts "
          + "\(Self.choices(supported, "or")) requests.",
        code: "unsupported_content_type")
    case .json(let error):
      self.init(.badRequest, Self.message(error), code: "invalid_json")
    case .notObject(let kind):
      self.init(
        .badRequest,
        "Invalid type: expected an object, but got \(Self.kind(kind)) instead.",
        code: "invalid_type")
    case .missingParameter(let name):
      self.init(
        .badRequest, "Missing required parameter: '\(name)'.", param: name,
        code: "missing_required_parameter")
    case .wrongType(let name, let expected, let kind):
      self.init(
        .badRequest,
        "Invalid type for '\(name)': expected \(Self.kind(expected)), but got \(Self.kind(kind)) "
          + "instead.",
        param: name, code: "invalid_type")
    case .wrongCount(let name, let expected, let count):
      self.init(
        .badRequest,
        "Invalid '\(name)': expected an array with length \(expected), but got an array with length "
          + "\(count) instead.",
        param: name, code: "invalid_value")
    case .tooManyLines(let most):
      self.init(
        .badRequest,
        "Too many lines: a request takes at most \(most). Send them in several requests, in their "
          + "order.",
        code: "array_above_max_length")
    case .keyName(.tooLong(let length)):
      self.init(
        .badRequest,
        "Invalid 'name': string too long. Expected a string with maximum length "
          + "\(APIKeyName.lengthMax), but got a string with length \(length) instead.",
        param: "name", code: "string_above_max_length")
    case .keyName(.empty), .keyName(.containsControlCharacter):
      self.init(
        .badRequest,
        "Invalid 'name': expected 1 to \(APIKeyName.lengthMax) characters, none of them a control "
          + "character.",
        param: "name", code: "invalid_value")
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
    }
  }
}
