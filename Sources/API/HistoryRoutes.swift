internal import Conversations
internal import HTTP
internal import JSON
internal import Logging
internal import Repository

extension API {
  /// `GET /v1/conversations/{conversation_id}/metadata_history`
  func listMetadataHistory(_ call: Call) async throws(APIError) -> Response {
    let query = try HistoryParameters(call.query).query
    let id = try conversationID(call)
    let page = try await rethrowing(id) { () async throws(RepositoryError) in
      try await repository.metadataHistory(query, of: id, in: call.project)
    }
    logLeftOut(page.unreadableCount, "former sets", call, ["conversation": "\(id)"])
    return Response(json: .metadataHistory(page))
  }

  /// `POST /v1/conversations/{conversation_id}/metadata_history/{version}/restore`
  func restoreMetadata(_ call: Call) async throws(APIError) -> Response {
    try RequestBody(call.request).requireEmpty()
    let id = try conversationID(call)
    let text = call.pathParameters[1]
    // What cannot be a number matches no version, and is not told apart from one that matches none.
    guard let version = MetadataVersion.number(text) else {
      throw .repository(.metadataVersion(.notFound(id: text)))
    }
    let conversation = try await rethrowing(id) { () async throws(RepositoryError) in
      try await repository.restoreMetadata(
        version, of: id, in: call.project, if: Precondition(call.request.headers),
        for: ChangeAuthor(call))
    }
    return Response(conversation)
  }
}

extension ChangeAuthor {
  /// Whoever sends a request.
  init(_ call: Call) {
    self.init(keyName: call.access?.keyName, requestID: call.id.description)
  }
}

/// The query parameters of the history (contract, section 9), read one by one in the order sent.
struct HistoryParameters {
  private(set) var query = MetadataHistoryQuery()
  private var seen: Set<String> = []

  /// The names; a test compares them with `openapi.json`.
  static let names = ["limit", "order", "after"]

  /// - Throws: The first fault: `.unknownParameter`, `.parameter`.
  init(_ parameters: [(name: String, value: String)]) throws(APIError) {
    for (name, value) in parameters {
      switch name {
      case "limit": query.limit = try ListParameters.limit(value)
      case "order": query.order = try ListParameters.order(value)
      case "after":
        guard let number = MetadataVersion.number(value) else {
          throw .parameter(.notAVersion(name: name, value: value))
        }
        query.after = number
      default: throw .unknownParameter(name)
      }
      guard seen.insert(name).inserted else { throw .parameter(.repeated(name)) }
    }
  }
}

extension JSONBody {
  /// Contract, section 9.
  static func metadataHistory(_ page: MetadataHistoryPage) -> JSONBody {
    JSONBody { json in
      json.list(page.versions, hasMore: page.hasMore, id: { "\($0.number)" }) { json, version in
        json.raw(#"{"object":"conversation.metadata_version","id":"#)
        json.string("\(version.number)")
        json.metadata(version.metadata)
        json.raw(#","replaced_at":"#)
        json.integer(version.replacedAt)
        json.raw(#","replaced_by":"#)
        json.stringOrNull(version.author.keyName)
        json.raw(#","request_id":"#)
        json.string(version.author.requestID)
        json.raw("}")
      }
    }
  }
}
