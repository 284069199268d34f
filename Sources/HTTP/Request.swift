public import HTTPTypes

/// One request, received as far as the server was willing to. A class, since it is handed on a dozen
/// times before it is answered.
public final class Request: Sendable {
  /// The method, as sent: methods are case-sensitive.
  public let method: HTTPRequest.Method
  /// What is requested, still percent-encoded.
  public let target: RequestTarget
  /// The header fields, in the order sent.
  public let headers: HeaderFields
  /// The content.
  public let body: Body
  /// The other end of the connection; nil where there is none.
  public let client: ClientAddress?

  /// The content of a request, or why the server did not take it.
  public enum Body: Sendable {
    /// All of it; empty when there is none.
    case bytes([UInt8])
    /// Larger than the server's limit.
    case tooLarge(bytesMax: Int)
    /// The header fields are over the server's limit, or those that follow the content are, together
    /// with them.
    case headersTooLarge(bytesMax: Int)
    /// The contents of all requests and answers fill the memory that the server has for them.
    case withoutRoom
    /// Where the request ends is ambiguous (RFC 9112, section 6.3), which is how one request
    /// becomes two between a proxy and a server. The connection is closed after the answer.
    case ambiguous
  }

  /// - Parameters:
  ///   - method: The method.
  ///   - target: What is requested.
  ///   - headers: The header fields.
  ///   - body: The content.
  ///   - client: The other end of the connection.
  public init(
    method: HTTPRequest.Method, target: RequestTarget, headers: HeaderFields = [:],
    body: Body = .bytes([]), client: ClientAddress? = nil
  ) {
    self.method = method
    self.target = target
    self.headers = headers
    self.body = body
    self.client = client
  }
}
