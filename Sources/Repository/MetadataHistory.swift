public import Conversations

/// Some of the sets that a conversation had before.
public struct MetadataHistoryPage: Sendable {
  /// In the order asked for.
  public var versions: [MetadataVersion] = []
  /// Whether there are more behind the last.
  public var hasMore = false
  /// How many were left out, since their rows cannot be shown.
  public var unreadableCount = 0

  /// An empty page.
  public init() {}
}

extension StoreSettings {
  private static let dayMicroseconds: Int64 = 86_400_000_000

  /// Whether former sets are kept.
  public var keepsHistory: Bool { metadataHistoryDays > 0 }

  /// Decides whether a set is kept when another one takes its place. An equal one changes nothing, and one
  /// that cannot be shown could not be restored.
  ///
  /// - Parameter stored: The set as it is stored; nil when what is stored cannot be shown.
  public func keeps(_ stored: Metadata?, replacedBy metadata: Metadata) -> Bool {
    keepsHistory && stored.map { $0 != metadata } ?? false
  }

  /// The number from which on versions are not too old.
  ///
  /// - Parameter now: Unix seconds.
  public func oldestVersionKept(now: Int64) -> Int64 {
    now * 1_000_000 - Int64(metadataHistoryDays) * Self.dayMicroseconds
  }
}
