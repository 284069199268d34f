internal import Conversations
internal import HTTPTypes
internal import JSON

/// What is wrong with the items of a request: the facts. Other faults of theirs are those of any
/// parameter, with the path as its name: `items[0].content[1].text`.
enum ItemError: Error, Equatable {
  /// `items` is no array.
  case notAnArray(JSON.Kind)
  /// There are no items where there must be one.
  case none
  /// More than `Item.addedMax` items.
  case tooMany(count: Int)
  /// A value is of another kind than it must be.
  case wrongType(path: String, expected: ItemType.Value, JSON.Kind)
  /// An id that no item of the type may have.
  case id(path: String, value: String, ItemIDError)
  /// Reasoning with neither an id nor encrypted content.
  case emptyReasoning
}

extension ErrorResponse {
  init(_ error: ItemError) {
    switch error {
    case .notAnArray(let kind):
      self.init(
        .badRequest,
        "Invalid type for 'items': expected an array of objects, but got \(Self.kind(kind)) instead.",
        param: "items", code: "invalid_type")
    case .none:
      self.init(
        .badRequest,
        "Invalid 'items': empty array. Expected an array with minimum length 1, but got an empty "
          + "array instead.",
        param: "items", code: "empty_array")
    case .tooMany(let count):
      self.init(
        .badRequest,
        "Invalid 'items': array too long. Expected an array with maximum length "
          + "\(Item.addedMax), but got an array with length \(count) instead.",
        param: "items", code: "array_above_max_length")
    case .wrongType(let path, let expected, let kind):
      self.init(
        .badRequest,
        "Invalid type for '\(path)': expected \(Self.expectation(expected)), but got "
          + "\(Self.kind(kind)) instead.",
        param: path, code: "invalid_type")
    case .id(let path, _, .tooLong(let length)):
      self.init(
        .badRequest,
        "Invalid '\(path)': string too long. Expected a string with maximum length "
          + "\(ItemID.lengthMax), but got a string with length \(length) instead.",
        param: path, code: "string_above_max_length")
    case .id(let path, let value, .otherCharacters):
      self.init(
        .badRequest,
        "Invalid '\(path)': '\(value)'. Expected an ID that contains letters, numbers, underscores, "
          + "or dashes, but this value contained additional characters.",
        param: path, code: "invalid_value")
    case .id(let path, let value, .otherPrefix(let expected)):
      self.init(
        .badRequest,
        "Invalid '\(path)': '\(value)'. Expected an ID that begins with '\(expected)'.",
        param: path, code: "invalid_value")
    case .emptyReasoning:
      self.init(.badRequest, "Invalid item", param: "item", code: "invalid_item")
    }
  }

  private static func expectation(_ value: ItemType.Value) -> String {
    switch value {
    case .string, .word: "a string"
    case .array: "an array"
    case .object: "an object"
    case .boolean: "a boolean"
    case .stringOrArray: "one of a string or array of objects"
    case .anything: "a value"
    }
  }
}
