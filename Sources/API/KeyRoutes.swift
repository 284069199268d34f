internal import Conversations
internal import HTTP
internal import Repository

extension API {
  /// `GET /v1/me`
  func retrieveOwnKey(_ call: Call, _ snapshot: inout Snapshot) throws(APIError) -> Response {
    guard let number = call.access?.keyNumber, number != Access.withoutKey.keyNumber else {
      return Response(json: .withoutKey)
    }
    let record = try rethrowing { () throws(RepositoryError) in try snapshot.apiKey(number) }
    guard let record else { preconditionFailure("the key was there in the same snapshot") }
    return Response(json: .apiKey(record))
  }
}
