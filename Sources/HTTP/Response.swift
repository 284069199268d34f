public import HTTPTypes

/// The answer to one request. The server adds what belongs to the connection: `Content-Length`,
/// `Date`, `Connection`; and leaves the body away for HEAD and for 304, which have its length.
public struct Response: Sendable {
  /// The status.
  public var status: HTTPResponse.Status
  /// The header fields.
  public var headers: HeaderFields
  /// The content.
  public var body: [UInt8]

  /// - Parameters:
  ///   - status: The status.
  ///   - headers: The header fields.
  ///   - body: The content.
  public init(status: HTTPResponse.Status, headers: HeaderFields = [:], body: [UInt8] = []) {
    self.status = status
    self.headers = headers
    self.body = body
  }
}
