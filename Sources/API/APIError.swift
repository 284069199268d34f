internal import Conversations
internal import HTTP
internal import HTTPTypes
internal import JSON
internal import Repository

/// Why a request is not answered with what it asks for: the facts. `ErrorAnswer` has the words.
enum APIError: Error, Sendable {
  /// A `Host` that is not loopback, while only loopback is served.
  case hostNotLoopback(String)
  /// An `Origin` other than the server itself.
  case originNotOwn(String)
  /// There is no API key, and one is needed.
  case missingKey
  /// An API key that is unknown, revoked or expired; the key.
  case incorrectKey(String)
  /// `OpenAI-Project` names another project than the API key's.
  case otherProject(own: String)
  /// The API key has sent as many requests as it may for now.
  case rateLimited(RateLimit.Allowance)
  /// The API key may only read.
  case keyIsReadOnly
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
  /// A body of another media type.
  case unsupportedContentType(String, supported: [String])
  /// The body cannot be read as JSON.
  case json(JSONError)
  /// The body is JSON, but not an object.
  case bodyNotObject(JSON.Kind)
  /// A required member is missing.
  case missingParameter(String)
  /// A member or query parameter that the route does not have.
  case unknownParameter(String)
  /// Items in a new conversation.
  case itemsUnsupported
  /// `metadata` is neither an object nor null.
  case metadataNotObject(JSON.Kind)
  /// A value in `metadata` is not a string.
  case metadataValueNotString(key: String, JSON.Kind)
  /// A rule of the set is broken.
  case metadata(MetadataError)
  /// A query parameter that may be there once is there again.
  case repeatedParameter(String)
  /// A query parameter is not an integer.
  case parameterNotAnInteger(name: String, value: String)
  /// A query parameter is an integer below its limit.
  case parameterTooSmall(name: String, value: String, smallest: Int)
  /// A query parameter is an integer above its limit.
  case parameterTooLarge(name: String, value: String, largest: Int)
  /// A query parameter is none of the words that it may be.
  case parameterNotAChoice(name: String, value: String, choices: [String])
  /// A cursor that cannot be the id of a conversation.
  case parameterNotAnID(name: String, value: String)
  /// A limit of the query is passed.
  case query(ConversationQueryError)
  /// An idempotency key that cannot be one.
  case malformedIdempotencyKey
  /// No such conversation; what the path says.
  case conversationNotFound(id: String)
  /// The repository did not do it.
  case repository(RepositoryError)
  /// `/readyz`: the repository cannot be read or written.
  case notReady(RepositoryError)

  /// What failed under the API, if it was not the request.
  var cause: RepositoryError? {
    switch self {
    case .repository(.preconditionFailed), .repository(.metadata),
      .repository(.idempotencyKeyReused):
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
