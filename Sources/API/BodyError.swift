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
