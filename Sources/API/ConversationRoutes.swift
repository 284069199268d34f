internal import Conversations
internal import HTTP
internal import Repository

extension API {
  /// `POST /v1/conversations`
  func createConversation(_ call: Call) async throws(APIError) -> Response {
    let metadata = try RequestBody(call.request).creation()
    let conversation = try await storing { () async throws(RepositoryError) in
      try await repository.createConversation(metadata: metadata, in: .default)
    }
    return Response(json: .conversation(conversation))
  }

  /// `GET /v1/conversations/{conversation_id}`
  func retrieveConversation(_ call: Call) throws(APIError) -> Response {
    let id = try conversationID(call)
    do {
      return Response(json: .conversation(try repository.conversation(id, in: .default)))
    } catch {
      throw APIError(error, id: id.description)
    }
  }

  /// `POST /v1/conversations/{conversation_id}`
  func updateConversation(_ call: Call) async throws(APIError) -> Response {
    // Existence is looked at last: a wrong body is told first.
    let metadata = try RequestBody(call.request).update()
    let id = try conversationID(call)
    let conversation = try await storing(id) { () async throws(RepositoryError) in
      try await repository.replaceMetadata(of: id, in: .default, with: metadata)
    }
    return Response(json: .conversation(conversation))
  }

  /// `DELETE /v1/conversations/{conversation_id}`
  func deleteConversation(_ call: Call) async throws(APIError) -> Response {
    let id = try conversationID(call)
    try await storing(id) { () async throws(RepositoryError) in
      try await repository.deleteConversation(id, in: .default)
    }
    return Response(json: .deletion(of: id))
  }

  /// What cannot be an id matches no row, and is not told apart from one that matches none.
  private func conversationID(_ call: Call) throws(APIError) -> ConversationID {
    let text = call.pathParameters[0]
    guard let id = ConversationID(text) else { throw .conversationNotFound(id: text) }
    return id
  }

  private func storing<T>(
    _ id: ConversationID? = nil, _ body: () async throws(RepositoryError) -> T
  ) async throws(APIError) -> T {
    do {
      return try await body()
    } catch {
      throw APIError(error, id: id?.description)
    }
  }
}
