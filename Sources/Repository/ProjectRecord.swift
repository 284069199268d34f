/// A project, and how much is in it.
public struct ProjectRecord: Equatable, Sendable {
  /// The number under which the database knows it.
  public let number: Int64
  /// Its name.
  public let name: String
  /// How many conversations it has.
  public let conversationCount: Int64
  /// How many items they have.
  public let itemCount: Int64
  /// How many keys it has that are not revoked.
  public let keyCount: Int64

  /// - Parameters:
  ///   - number: The number under which the database knows it.
  ///   - name: Its name.
  ///   - conversationCount: How many conversations it has.
  ///   - itemCount: How many items they have.
  ///   - keyCount: How many keys it has that are not revoked.
  public init(
    number: Int64, name: String, conversationCount: Int64, itemCount: Int64, keyCount: Int64
  ) {
    self.number = number
    self.name = name
    self.conversationCount = conversationCount
    self.itemCount = itemCount
    self.keyCount = keyCount
  }
}

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
