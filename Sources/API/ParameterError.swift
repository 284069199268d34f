internal import Conversations
internal import HTTPTypes

/// What is wrong with a query parameter.
enum ParameterError: Error, Sendable {
  /// A required query parameter is not there.
  case missing(String)
  /// A query parameter that may be there once is there again.
  case repeated(String)
  /// A query parameter is not an integer.
  case notAnInteger(name: String, value: String)
  /// A query parameter is an integer below its limit.
  case tooSmall(name: String, value: String, smallest: Int)
  /// A query parameter is an integer above its limit.
  case tooLarge(name: String, value: String, largest: Int)
  /// A query parameter is none of the words that it may be.
  case notAChoice(name: String, value: String, choices: [String])
  /// A cursor that cannot be the id of a conversation.
  case notAnID(name: String, value: String)
  /// A cursor that cannot be a place in the order of last activity.
  case notAPlace(name: String, value: String)
  /// A place that is none in an export.
  case notAnExportPlace(name: String, value: String)
  /// A place in a history that cannot be a version.
  case notAVersion(name: String, value: String)
  /// A list that is given as a single value.
  case notAList(name: String)
  /// A limit of the query is passed.
  case query(ConversationQueryError)
}

extension ErrorResponse {
  init(_ error: ParameterError) {
    switch error {
    case .missing(let name): self.init(BodyError.missingParameter(name))
    case .repeated(let name):
      self.init(
        .badRequest, "Invalid '\(name)': the parameter may be given only once.", param: name,
        code: "invalid_value")
    case .notAnInteger(let name, let value):
      self.init(
        .badRequest,
        "Invalid type for '\(name)': expected an integer, but got \(Self.kind(value)) instead.",
        param: name, code: "invalid_type")
    case .tooSmall(let name, let value, let smallest):
      self.init(
        .badRequest,
        "Invalid '\(name)': integer below minimum value. Expected a value >= \(smallest), but got "
          + "\(value) instead.",
        param: name, code: "integer_below_min_value")
    case .tooLarge(let name, let value, let largest):
      self.init(
        .badRequest,
        "Invalid '\(name)': integer above maximum value. Expected a value <= \(largest), but got "
          + "\(value) instead.",
        param: name, code: "integer_above_max_value")
    case .notAChoice(let name, let value, let choices):
      self.init(
        .badRequest,
        "Invalid value: '\(Self.shown(value, over: 64))'. Supported values are: "
          + "\(Self.choices(choices, "and")).",
        param: name, code: "invalid_value")
    case .notAnID(let name, let value):
      self.init(
        place: name, value, "is not the id of a conversation",
        expected: "'conv_' and 48 lower-case hexadecimal digits")
    case .notAPlace(let name, let value):
      self.init(
        place: name, value, "is no place in this order",
        expected: "'conv_' and 48 lower-case hexadecimal digits, or these with '.' and 13 more")
    case .notAnExportPlace(let name, let value):
      self.init(
        place: name, value, "is no place in an export",
        expected: "what 'x-next-after' said, or 'conv_' and 48 lower-case hexadecimal digits")
    case .notAVersion(let name, let value):
      self.init(
        place: name, value, "is not the id of a version",
        expected: "an integer from 0 to \(MetadataVersion.numbers.upperBound)")
    case .notAList(let name):
      self.init(
        .badRequest,
        "Invalid type for '\(name)': expected an array of strings, but got a string instead.",
        param: name, code: "invalid_type")
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
    }
  }

  /// - Parameters:
  ///   - name: The parameter, whose value cannot be a place.
  ///   - fault: What its value is instead.
  private init(place name: String, _ value: String, _ fault: String, expected: String) {
    self.init(
      .badRequest, "Invalid '\(name)': '\(Self.shown(value))' \(fault). Expected \(expected).",
      param: name, code: "invalid_value")
  }
}
