internal import Conversations
internal import HTTP
internal import Repository

extension API {
  /// `GET /v1/conversations/metadata_keys`
  func listMetadataKeys(_ call: Call) async throws(APIError) -> Response {
    let page = try await facets(FacetParameters(ofKeys: call.query).query, call)
    return Response(json: .metadataKeys(page))
  }

  /// `GET /v1/conversations/metadata_values`
  func listMetadataValues(_ call: Call) async throws(APIError) -> Response {
    let page = try await facets(FacetParameters(ofValues: call.query).query, call)
    return Response(json: .metadataValues(page))
  }

  /// `GET /v1/conversations/count`
  func countConversations(_ call: Call) async throws(APIError) -> Response {
    let parameters = try ListParameters(call.query, of: .count)
    let count = try await rethrowing { () async throws(RepositoryError) in
      try await repository.count(
        of: parameters.query, upTo: parameters.countLimit, in: call.project)
    }
    return Response(json: .count(count))
  }

  private func facets(_ query: FacetQuery, _ call: Call) async throws(APIError) -> FacetPage {
    let page = try await rethrowing { () async throws(RepositoryError) in
      try await repository.facets(query, in: call.project)
    }
    logLeftOut(page.unreadableCount, "metadata", call)
    return page
  }
}
