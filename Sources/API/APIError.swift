internal import Conversations
internal import HTTP
internal import HTTPTypes
internal import JSON
internal import Repository

/// Why a request is not answered with what it asks for: the facts. `ErrorResponse` has the words.
enum APIError: Error, Sendable {
  /// Whoever asks may not.
  case access(AccessError)
  /// A query parameter is wrong.
  case parameter(ParameterError)
  /// The body is wrong.
  case body(BodyError)
  /// No such path.
  case unknownRoute(method: HTTPRequest.Method, path: String)
  /// The path has other methods.
  case methodNotAllowed(
    method: HTTPRequest.Method, path: String, allowed: [HTTPRequest.Method])
  /// The target cannot be decoded.
  case malformedTarget(PercentDecodingError)
  /// The header fields are over the server's limit.
  case headersTooLarge(bytesMax: Int)
  /// The body is over the server's limit.
  case bodyTooLarge(bytesMax: Int)
  /// The bodies of all requests and answers fill the memory for them.
  case noRoom
  /// Where the body ends is ambiguous.
  case ambiguousBody
  /// A member or query parameter that the route does not have.
  case unknownParameter(String)
  /// The items, or one of them, cannot be taken.
  case item(ItemError)
  /// A rule of the set is broken.
  case metadata(MetadataError)
  /// An idempotency key that cannot be one.
  case malformedIdempotencyKey
  /// A line of the body is wrong, counted from 1.
  indirect case line(Int, APIError)
  /// No such conversation; what the path says.
  case conversationNotFound(id: String)
  /// The repository did not do it.
  case repository(RepositoryError)
  /// `/readyz`: the server is about to stop.
  case draining
  /// `/readyz`: the repository cannot be read or written.
  case notReady(RepositoryError)

  /// What failed under the API, if it was not the request.
  var cause: RepositoryError? {
    switch self {
    case .repository(.preconditionFailed), .repository(.metadata),
      .repository(.idempotencyKeyReused), .repository(.item), .repository(.cursorNotFound),
      .repository(.apiKey), .repository(.laterThanNow), .repository(.metadataVersion(.notFound)):
      nil
    case .repository(let error), .notReady(let error): error
    default: nil
    }
  }

  /// - Parameter id: The conversation that the request named, if it named one.
  init(_ error: RepositoryError, id: String?) {
    if error == .conversationNotFound, let id {
      self = .conversationNotFound(id: id)
    } else {
      self = .repository(error)
    }
  }
}
