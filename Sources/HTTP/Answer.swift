/// What a handler has for a request: the response, or what will bring it.
public enum Answer: Sendable {
  /// The response.
  case ready(Response)
  /// What is to be waited for. It begins on the thread that received the request, and may go on on
  /// others; the connection rests meanwhile.
  case later(@Sendable () async -> Response)

  /// The response, when it is there.
  public var response: Response {
    get async {
      switch self {
      case .ready(let response): response
      case .later(let respond): await respond()
      }
    }
  }
}
