internal import Conversations
internal import HTTP
internal import Repository

extension API {
  /// `GET /v1/me`
  func retrieveOwnKey(_ call: Call) throws(APIError) -> Response {
    let value = try rethrowing { () throws(RepositoryError) in try call.stored.get() }
    guard case .apiKey(let record) = value else { return Response(json: .withoutKey) }
    return Response(json: .apiKey(record))
  }

  /// `GET /v1/api_keys`
  func listKeys(_ call: Call) async throws(APIError) -> Response {
    let records = try await rethrowing { () async throws(RepositoryError) in
      try await repository.apiKeys(in: call.project)
    }
    return Response(json: .apiKeys(records))
  }

  /// `POST /v1/api_keys`
  func createKey(_ call: Call) async throws(APIError) -> Response {
    let new = try RequestBody(call.request).newKey(
      now: UnixTime.seconds(), by: call.access!)
    let (key, record) = try await rethrowing { () async throws(RepositoryError) in
      try await repository.createAPIKey(new, in: call.project)
    }
    return Response(json: .newAPIKey(record, key))
  }

  /// `DELETE /v1/api_keys/{name}`
  func revokeKey(_ call: Call) async throws(APIError) -> Response {
    let name = call.pathParameters[0]
    try await rethrowing { () async throws(RepositoryError) in
      try await repository.revokeAPIKey(named: name, in: call.project)
    }
    return Response(json: .keyDeletion(named: name))
  }
}
