/// How a store is used, whatever its engine.
public struct StoreSettings: Sendable {
  /// How many writes may wait for their turn.
  public var waitingWritesMax = 4096
  /// How long a query may take.
  public var queryTimeoutMilliseconds = 2000
  /// How long an idempotency key is remembered.
  public var idempotencySeconds = 86_400
  /// How large the copies of items may be together that one request makes.
  public var copiesBytesMax = 16 << 20
  /// For how many days the sets are kept that conversations had before; 0 for not at all.
  public var metadataHistoryDays = 0

  /// The defaults.
  public init() {}
}
