public import Conversations

/// What a rotation stores: a key in the place of another, and an end to the other one.
public struct KeyRotation: Sendable {
  /// The key that takes the name. It lives as long as the other one did.
  public let new: NewAPIKey
  /// The Unix second at which the other one ends.
  public let endsAt: Int64

  /// - Parameters:
  ///   - name: The name of the key.
  ///   - rights: What the key may do.
  ///   - createdAt: The Unix second at which it was made.
  ///   - expiresAt: The Unix second at which it ends by itself; nil for never.
  ///   - requestsPerMinute: How many requests it may send in a minute; nil where the server says so for
  ///     all keys.
  ///   - graceSeconds: How long it counts yet, at most.
  ///   - now: Unix seconds.
  public init(
    name: APIKeyName, rights: APIKeyRights, createdAt: Int64, expiresAt: Int64?,
    requestsPerMinute: Int?, graceSeconds: Int64, now: Int64
  ) {
    new = NewAPIKey(
      name: name, rights: rights, expiresAt: expiresAt.map { now + max(0, $0 - createdAt) },
      requestsPerMinute: requestsPerMinute)
    endsAt = min(expiresAt ?? .max, now + graceSeconds)
  }

  /// The names that the other one may take, which say when it ends. The first that is free counts,
  /// since several keys of one name may end on one day.
  public var oldNames: some Sequence<String> {
    let end = UnixTime.day(of: endsAt)
    let name = new.name.description.unicodeScalars
    return (1...).lazy.map { number in
      let addition = number == 1 ? " (until \(end))" : " (until \(end), \(number))"
      let room = APIKeyName.lengthMax - addition.unicodeScalars.count
      return String(String.UnicodeScalarView(name.prefix(room))) + addition
    }
  }
}
