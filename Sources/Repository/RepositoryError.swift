public import Conversations

/// Why a store did not do what was asked. Unless a case says otherwise, nothing was stored.
public enum RepositoryError: Error, Equatable, Sendable, CustomStringConvertible {
  /// No such conversation in the project.
  case conversationNotFound
  /// The conversation is there, and a row of it cannot be shown (its text is not UTF-8, or breaks a
  /// limit that somebody switched off). An update replaces such rows.
  case unreadableConversation(ConversationID)
  /// The conversation's content is not what the request demands.
  case preconditionFailed(Precondition.Failure)
  /// The set would break a rule after the change.
  case metadata(MetadataError)
  /// The idempotency key was used for another request: with another path or other bytes.
  case idempotencyKeyReused
  /// No such conversation in the project, and it is to be a place in the order of last activity.
  case cursorNotFound(ListCursor, ConversationID)
  /// The items that a request names or adds are not as they must be.
  case item(StoredItemError)
  /// The item is there, and its row cannot be shown.
  case unreadableItem
  /// A set that a conversation had before cannot be restored.
  case metadataVersion(StoredVersionError)
  /// An API key cannot be made or revoked.
  case apiKey(StoredKeyError)
  /// A record that is imported has a time that is still to come; counted from 0.
  case laterThanNow(record: Int)
  /// A query reached its deadline.
  case queryTimeout
  /// Nothing can be written at the moment; a repeat may succeed.
  case unavailable(Unavailability)
  /// The disk, a quota, or the database's largest size, is full.
  case storageFull(EngineError)
  /// The disk failed while the commit was on its way: what was asked may be stored or not, and only
  /// recovery by the next process decides. No further write is taken.
  case commitUnknown(EngineError)
  /// The engine reported something that is not foreseen here.
  case storage(EngineError)

  /// Why nothing can be written at the moment.
  public enum Unavailability: Equatable, Sendable {
    /// So many writes are waiting already.
    case queueFull(writesMax: Int)
    /// Another process holds the database's lock for longer than the busy timeout.
    case locked
    /// The disk reported an error before the commit began, or the process has no file descriptor
    /// left to read it with.
    case diskFailed(EngineError)
    /// The database cannot be reached, or the connection to it was lost before anything was stored.
    case unreachable(EngineError)
    /// The engine gets no memory.
    case noMemory
    /// The file system has little space left.
    case spaceShort(bytesFree: Int, bytesMin: Int)
    /// The database file was deleted or replaced under the server: nobody would find the write.
    case fileGone
    /// The repository is closed, or stopped after `commitUnknown`.
    case closed
  }

  /// Whether a part of the database is damaged, which is an error of those who need it and of nobody
  /// else.
  public var isDamage: Bool {
    if case .storage(let cause) = self { cause.kind == .corrupt } else { false }
  }

  /// For the log: what happened, with the engine's words where it has some.
  public var description: String {
    switch self {
    case .conversationNotFound: "conversation not found"
    case .unreadableConversation(let id): "what is stored for \(id) is not valid"
    case .preconditionFailed(let failure): "precondition failed: \(failure)"
    case .metadata: "the metadata would break a rule"
    case .idempotencyKeyReused: "an idempotency key was used for another request"
    case .cursorNotFound: "no conversation has this place"
    case .item: "items are not as they must be"
    case .unreadableItem: "what is stored for an item is not valid"
    case .metadataVersion(.notFound): "no such version of the metadata"
    case .metadataVersion(.unreadable): "what is stored for a former set is not valid"
    case .apiKey: "an API key cannot be made or revoked"
    case .laterThanNow(let record): "record \(record) has a time that is still to come"
    case .queryTimeout: "a query reached its deadline"
    case .unavailable(.queueFull(let writesMax)): "\(writesMax) writes are waiting already"
    case .unavailable(.locked): "another process holds the database's lock"
    case .unavailable(.diskFailed(let error)): "the disk failed: \(error)"
    case .unavailable(.unreachable(let error)): "the database cannot be reached: \(error)"
    case .unavailable(.noMemory): "the database has no memory"
    case .unavailable(.spaceShort(let bytesFree, let bytesMin)):
      "\(bytesFree) bytes of disk space are left, of \(bytesMin) that writes need"
    case .unavailable(.fileGone): "the database file was deleted or replaced"
    case .unavailable(.closed): "the database is closed"
    case .storageFull(let error): "the disk is full: \(error)"
    case .commitUnknown(let error): "a commit ended unknown: \(error)"
    case .storage(let error): error.description
    }
  }

  /// - Parameter error: What the engine reported, before anything was on its way to be stored.
  public init(_ error: EngineError) {
    self =
      switch error.kind {
      case .busy: .unavailable(.locked)
      case .full: .storageFull(error)
      case .io, .cannotOpen: .unavailable(.diskFailed(error))
      case .memory: .unavailable(.noMemory)
      default: .storage(error)
      }
  }
}

extension RepositoryError {
  /// - Parameters:
  ///   - refusal: Why a conversation is not changed.
  ///   - id: The conversation.
  public init(_ refusal: ChangeRefusal, of id: ConversationID) {
    self =
      switch refusal {
      case .preconditionFailed(let failure): .preconditionFailed(failure)
      case .metadata(let error): .metadata(error)
      case .unreadable: .unreadableConversation(id)
      }
  }

  /// - Parameter refusal: Why items are not added.
  public init(_ refusal: ItemRefusal) {
    self =
      switch refusal {
      case .alreadyInConversation: .item(.alreadyInConversation)
      case .referenceNotFound(let id): .item(.referenceNotFound(id: id))
      case .copiesTooLarge(let bytesMax): .item(.copiesTooLarge(bytesMax: bytesMax))
      }
  }
}

/// What is wrong with items beside those that are stored.
public enum StoredItemError: Equatable, Sendable {
  /// No such item in the conversation, which is there.
  case notFound(id: String)
  /// The conversation has an item with such an id, or the request has two.
  case alreadyInConversation
  /// A reference to an item that the project does not have.
  case referenceNotFound(id: String)
  /// A place in a list of items that is none of them.
  case cursorNotFound(ListCursor, id: String)
  /// The copies that a request asks for are too large together.
  case copiesTooLarge(bytesMax: Int)
}

/// Why a set that a conversation had before is not restored.
public enum StoredVersionError: Equatable, Sendable {
  /// The conversation is there, and has no such version; what the request named.
  case notFound(id: String)
  /// The version is there, and its row cannot be shown.
  case unreadable
}

/// Why an API key is not made or revoked.
public enum StoredKeyError: Equatable, Sendable {
  /// A key of the project that is not revoked has the name.
  case nameTaken(String)
  /// No key of the project that is not revoked has the name.
  case notFound(String)
  /// The key is an admin key, which only a person at the database revokes.
  case isAdmin
}

/// The parameters that are places in a list.
public enum ListCursor: String, Equatable, Sendable {
  /// After this one.
  case after
  /// Before this one.
  case before
}
