/// A value that is there, or how to wait for it.
public enum Eventual<Value: Sendable>: Sendable {
  /// The value.
  case ready(Value)
  /// What is to be waited for. It begins on the thread that received the request, and may go on on
  /// others; the connection rests meanwhile.
  case later(@Sendable () async -> Value)

  /// The value, when it is there.
  public var value: Value {
    get async {
      switch self {
      case .ready(let value): value
      case .later(let wait): await wait()
      }
    }
  }
}

/// What a handler has for a request: the response, or what will bring it.
public typealias Answer = Eventual<Response>
