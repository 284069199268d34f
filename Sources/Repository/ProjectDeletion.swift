package import Conversations
internal import Glibc

/// What the deletion of a project did.
public struct ProjectDeletion: Equatable, Sendable {
  /// The project's name from now on.
  public let newName: String
  /// How many conversations were deleted.
  public let conversationCount: Int
  /// How many keys were revoked.
  public let keyCount: Int

  /// - Parameters:
  ///   - newName: The project's name from now on.
  ///   - conversationCount: How many conversations were deleted.
  ///   - keyCount: How many keys were revoked.
  public init(newName: String, conversationCount: Int, keyCount: Int) {
    self.newName = newName
    self.conversationCount = conversationCount
    self.keyCount = keyCount
  }

  /// The name that a deleted project gets.
  ///
  /// - Parameters:
  ///   - number: The project's number.
  ///   - isTaken: Whether another project has a name; somebody may have chosen it.
  public static func name<Failure>(
    number: Int64, isTaken: (String) throws(Failure) -> Bool
  ) throws(Failure) -> String {
    var name = "deleted-\(number)"
    while try isTaken(name) { name += "-" }
    return name
  }
}

/// Why a project is not deleted.
public enum ProjectRefusal: Error, Equatable, Sendable {
  /// No project has the name.
  case notFound
  /// Every database has the project `default`.
  case isDefault
}

/// A database whose projects can be deleted, beside its servers: the steps of it, each of which holds
/// nobody up. `delete` is the order in which they go.
package protocol ProjectDeleting: ~Copyable {
  /// Why a project is not deleted, or not wholly.
  associatedtype Failure: Error

  /// Finds a project, and revokes its keys.
  ///
  /// - Returns: The project, and how many keys were revoked.
  mutating func begin(_ name: String) throws(Failure) -> (project: ProjectID, keyCount: Int)

  /// Deletes a slice of its conversations, in a transaction.
  ///
  /// - Returns: How many were deleted; 0 when there are none.
  mutating func deleteSlice(of project: ProjectID) throws(Failure) -> Int

  /// Gives the project the name of a deleted one, unless it has conversations, in a transaction.
  ///
  /// - Returns: The new name, and how many keys were made meanwhile; nil when conversations have come.
  mutating func rename(
    _ project: ProjectID
  ) throws(Failure) -> (newName: String, keyCount: Int)?

  /// Revokes the keys that it has by now, in a transaction.
  ///
  /// - Returns: How many.
  mutating func revokeKeys(of project: ProjectID) throws(Failure) -> Int
}

extension ProjectDeleting where Self: ~Copyable {
  /// Revokes the keys of a project, deletes its conversations a few at a time, and renames it. When it
  /// is interrupted it may be called again.
  ///
  /// - Parameter progress: Called after each transaction with how many conversations were deleted.
  package mutating func delete(
    _ name: String, progress: (Int) -> Void = { _ in }
  ) throws(Failure) -> ProjectDeletion {
    let begun = try begin(name)
    let project = begun.project
    var keyCount = begun.keyCount
    var count = 0
    var newName: String?
    while newName == nil {
      try deleteConversations(of: project, &count, progress)
      // What was let in before the keys were revoked.
      sleep(for: DeletionSlice.underWay)
      try deleteConversations(of: project, &count, progress)
      if let end = try rename(project) {
        newName = end.newName
        keyCount += end.keyCount
      }
    }
    // And what has waited for a lock, or for the database, until now.
    sleep(for: DeletionSlice.underWay)
    keyCount += try revokeKeys(of: project)
    try deleteConversations(of: project, &count, progress)
    return ProjectDeletion(newName: newName!, conversationCount: count, keyCount: keyCount)
  }

  /// - Parameter count: How many were deleted, which becomes more.
  private mutating func deleteConversations(
    of project: ProjectID, _ count: inout Int, _ progress: (Int) -> Void
  ) throws(Failure) {
    while true {
      let begin = ContinuousClock.now
      let deleted = try deleteSlice(of: project)
      guard deleted > 0 else { return }
      count += deleted
      progress(count)
      sleep(for: ContinuousClock.now - begin + DeletionSlice.pause)
    }
  }

  private func sleep(for duration: Duration) {
    usleep(UInt32(clamping: Int64(max(.zero, duration) / .microseconds(1))))
  }
}

/// How much of a project is deleted in one transaction, so that nobody waits for long.
public struct DeletionSlice: Sendable {
  /// The most conversations.
  public static let conversationsMax = 100
  /// The most items, unless one conversation alone has more.
  public static let itemsMax: Int64 = 1000
  /// How long the next slice waits for those that want to write, beside the time that the last one took.
  public static let pause = Duration.milliseconds(25)
  /// How long a request may be under way that was let in before the keys were revoked.
  public static let underWay = Duration.seconds(1)

  /// How many of the conversations fit into a slice; at least one, if there are any.
  ///
  /// - Parameter itemCounts: How many items each has, in the order in which they are deleted.
  public static func count(_ itemCounts: [Int64]) -> Int {
    var items: Int64 = 0
    for (index, count) in itemCounts.prefix(conversationsMax).enumerated() {
      items += count
      if items > itemsMax { return max(index, 1) }
    }
    return min(itemCounts.count, conversationsMax)
  }
}
