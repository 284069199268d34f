internal import Conversations

/// The query parameters of the items' routes (contract, section 8.5), read one by one in the order
/// sent.
struct ItemParameters {
  private(set) var query = ItemQuery()
  private var seen: Set<String> = []

  /// What `include[]` may name. Nothing that is stored is ever hidden, so it has no effect.
  static let includable = [
    "code_interpreter_call.outputs", "computer_call_output.output.image_url",
    "file_search_call.results", "message.input_image.image_url", "message.output_text.logprobs",
    "reasoning.encrypted_content", "web_search_call.action.sources", "web_search_call.results",
  ]

  /// The names of a list's parameters; a test compares them with `openapi.json`.
  static let names = ["limit", "order", "after", "before", "include"]

  /// - Parameter isList: Whether there are other parameters than `include[]`.
  /// - Throws: The first fault: `.unknownParameter`, `.parameter`.
  init(
    _ parameters: [(name: String, value: String)], isList: Bool
  ) throws(APIError) {
    for (name, value) in parameters {
      switch name {
      case "include[]":
        guard Self.includable.contains(where: value.hasSameBytes) else {
          throw .parameter(
            .notAChoice(name: "include", value: value, choices: Self.includable))
        }
      case "include": throw .parameter(.notAList(name: name))
      case _ where isList: try readSingle(name, value)
      default: throw .unknownParameter(name)
      }
    }
  }

  private mutating func readSingle(_ name: String, _ value: String) throws(APIError) {
    switch name {
    case "limit": query.limit = try ListParameters.limit(value)
    case "order": query.order = try ListParameters.order(value)
    case "after": query.after = value
    case "before": query.before = value
    default: throw .unknownParameter(name)
    }
    guard seen.insert(name).inserted else { throw .parameter(.repeated(name)) }
  }
}
