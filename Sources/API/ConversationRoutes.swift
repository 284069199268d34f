internal import Conversations
internal import HTTP
internal import HTTPTypes
internal import Logging
internal import Repository

extension API {
  /// `GET /v1/conversations`
  func listConversations(_ call: Call) async throws(APIError) -> Response {
    let query = try ListParameters(call.query).query
    let page = try await rethrowing { () async throws(RepositoryError) in
      try await repository.conversations(query, in: call.project)
    }
    logLeftOut(
      page.unreadable.count, "conversations", call,
      ["ids": "\(page.unreadable.prefix(3).joined(separator: " "))"])
    return Response(json: .list(page, of: query))
  }

  /// `POST /v1/conversations`
  func createConversation(_ call: Call) async throws(APIError) -> Response {
    let key = try idempotencyKey(call.request)
    let (metadata, items) = try RequestBody(call.request).creation(itemReader)
    guard let key else {
      let conversation = try await rethrowing { () async throws(RepositoryError) in
        try await repository.createConversation(
          metadata: metadata, items: items, in: call.project)
      }
      return Response(conversation)
    }
    let answer = try await rethrowing { () async throws(RepositoryError) in
      try await repository.createConversation(
        metadata: metadata, items: items, in: call.project, once: key
      ) {
        String(decoding: JSONBody.conversation($0).bytes, as: UTF8.self)
      }
    }
    return Response(answer)
  }

  /// `GET /v1/conversations/{conversation_id}`
  func retrieveConversation(_ call: Call) throws(APIError) -> Response {
    guard case .conversation(let conversation) = try stored(call) else {
      throw .conversationNotFound(id: call.pathParameters[0])
    }
    do {
      try Precondition(call.request.headers).require(conversation.contentHash)
    } catch .ifNoneMatch {
      var response = Response(conversation)
      response.status = .notModified
      return response
    } catch {
      throw .repository(.preconditionFailed(error))
    }
    return Response(conversation)
  }

  /// `POST /v1/conversations/{conversation_id}`
  func updateConversation(_ call: Call) async throws(APIError) -> Response {
    try await change(call, by: .replace(with: RequestBody(call.request).update()))
  }

  /// `PATCH /v1/conversations/{conversation_id}`
  func patchConversation(_ call: Call) async throws(APIError) -> Response {
    let body = try RequestBody(call.request, of: [RequestBody.mergePatch, RequestBody.json])
    return try await change(call, by: body.patch())
  }

  /// `DELETE /v1/conversations/{conversation_id}`
  func deleteConversation(_ call: Call) async throws(APIError) -> Response {
    let id = try conversationID(call)
    try await rethrowing(id) { () async throws(RepositoryError) in
      try await repository.deleteConversation(
        id, in: call.project, if: Precondition(call.request.headers))
    }
    return Response(json: .deletion(of: id))
  }

  /// Existence is looked at last: a wrong body is told first.
  private func change(
    _ call: Call, by change: MetadataChange
  ) async throws(APIError) -> Response {
    let id = try conversationID(call)
    let conversation = try await rethrowing(id) { () async throws(RepositoryError) in
      try await repository.changeMetadata(
        of: id, in: call.project, by: change, if: Precondition(call.request.headers),
        for: ChangeAuthor(call))
    }
    return Response(conversation)
  }

  /// What cannot be an id matches no row, and is not told apart from one that matches none.
  func conversationID(_ call: Call) throws(APIError) -> ConversationID {
    let text = call.pathParameters[0]
    guard let id = ConversationID(text) else { throw .conversationNotFound(id: text) }
    return id
  }

  /// - Parameter path: What a repeat must have too, beside the same body; nil where there is one path.
  func idempotencyKey(
    _ request: Request, path: String? = nil
  ) throws(APIError) -> IdempotencyKey? {
    guard let text = request.headers[.idempotencyKey],
      case .bytes(let body) = request.body
    else { return nil }
    let bytes = path.map { Array($0.utf8) + [0] + body } ?? body
    guard let key = IdempotencyKey(text, request: bytes) else { throw .malformedIdempotencyKey }
    return key
  }

  /// What was read of the thing that the path names; nothing when it names what cannot be there.
  func stored(_ call: Call) throws(APIError) -> Finding.Value {
    do {
      return try call.stored.get()
    } catch {
      throw APIError(error, id: call.pathParameters[0])
    }
  }

  func rethrowing<T>(
    _ id: ConversationID? = nil, _ body: () async throws(RepositoryError) -> T
  ) async throws(APIError) -> T {
    do {
      return try await body()
    } catch {
      throw APIError(error, id: id?.description)
    }
  }
}

extension Response {
  init(_ conversation: Conversation) {
    self.init(json: .conversation(conversation))
    headers.append(.eTag, conversation.contentHash.entityTag)
  }

  fileprivate init(_ answer: StoredResponse) {
    self.init(
      status: .ok,
      headers: [.contentType: "application/json", .eTag: answer.contentHash.entityTag],
      body: Array(answer.text.utf8))
    if answer.isReplay { headers[.idempotentReplayed] = "true" }
  }
}
