/// Moments at which waiting ends.
enum Patience {
  /// How long a request waits for a server that cannot be reached, from when it came.
  static let reconnecting = Duration.seconds(5)
  /// How long the fence of a commit whose answer was lost may stay unanswered.
  static let fencing = Duration.seconds(10)
  /// How long a server may take to answer before it counts as gone; more than its own limits.
  static let answering = Duration.seconds(15)
  /// The pause between two attempts to connect.
  static let betweenAttempts = Duration.milliseconds(100)
}
