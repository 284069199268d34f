internal import Conversations
internal import HTTP
internal import HTTPTypes
internal import Logging
internal import Repository

extension API {
  /// `GET /v1/conversations/{conversation_id}/items`
  func listItems(_ call: Call) async throws(APIError) -> Response {
    let query = try ItemParameters(call.query, isList: true).query
    let id = try conversationID(call)
    let page = try await rethrowing(id) { () async throws(RepositoryError) in
      try await repository.items(query, of: id, in: call.project)
    }
    logLeftOut(page.unreadableCount, "items", call, ["conversation": "\(id)"])
    return Response(json: .items(page.items, hasMore: page.hasMore))
  }

  /// `POST /v1/conversations/{conversation_id}/items`
  func createItems(_ call: Call) async throws(APIError) -> Response {
    _ = try ItemParameters(call.query, isList: false)
    let items = try RequestBody(call.request).append(itemReader)
    let key = try idempotencyKey(call.request, path: call.request.target.path)
    let id = try conversationID(call)
    let appended = try await rethrowing(id) { () async throws(RepositoryError) in
      try await repository.appendItems(items, to: id, in: call.project, once: key)
    }
    var response = Response(json: .items(appended.items, hasMore: false))
    if appended.isReplay { response.headers[.idempotentReplayed] = "true" }
    return response
  }

  /// `GET /v1/conversations/{conversation_id}/items/{item_id}`
  func retrieveItem(_ call: Call) throws(APIError) -> Response {
    _ = try ItemParameters(call.query, isList: false)
    guard case .item(let item) = try stored(call) else {
      throw .conversationNotFound(id: call.pathParameters[0])
    }
    return Response(json: .item(item))
  }

  /// `DELETE /v1/conversations/{conversation_id}/items/{item_id}`
  func deleteItem(_ call: Call) async throws(APIError) -> Response {
    let id = try conversationID(call)
    let conversation = try await rethrowing(id) { () async throws(RepositoryError) in
      try await repository.deleteItem(call.pathParameters[1], of: id, in: call.project)
    }
    return Response(conversation)
  }

  /// Reads the items of requests that arrive now.
  var itemReader: ItemReader {
    ItemReader(types: itemTypes, unixSeconds: UnixTime.seconds())
  }
}
