internal import Conversations

/// A conversation, as the statements of a group name it.
struct ConversationKey: Hashable, Comparable {
  let project: Int64
  let id: [UInt8]

  init(_ id: ConversationID, in project: ProjectID) {
    self.project = project.number
    self.id = id.bytes
  }

  /// The order in which rows are locked, the same for all programs, so that no two of them wait for
  /// each other.
  static func < (left: ConversationKey, right: ConversationKey) -> Bool {
    left.project == right.project
      ? left.id.lexicographicallyPrecedes(right.id) : left.project < right.project
  }
}

/// A name in a project: an idempotency key, or the id of an item.
struct NameKey: Hashable, Comparable {
  let project: Int64
  let name: String

  init(_ name: String, in project: ProjectID) {
    self.project = project.number
    self.name = name
  }

  static func == (left: NameKey, right: NameKey) -> Bool {
    left.project == right.project && left.name.hasSameBytes(as: right.name)
  }

  func hash(into hasher: inout Hasher) {
    hasher.combine(project)
    for byte in name.utf8 { hasher.combine(byte) }
  }

  static func < (left: NameKey, right: NameKey) -> Bool {
    left.project == right.project ? left.name.precedes(right.name) : left.project < right.project
  }
}

/// An item of a conversation.
struct ItemKey: Hashable {
  let conversation: ConversationKey
  let id: String
}
