internal import Conversations
internal import HTTP
internal import HTTPTypes
internal import Repository

extension ErrorResponse {
  init(_ error: MetadataError) {
    switch error {
    case .tooManyPairs(let count):
      self.init(
        .badRequest,
        "Invalid 'metadata': too many properties. Expected an object with at most "
          + "\(Metadata.pairsMax) properties, but got an object with \(count) properties instead.",
        param: "metadata", code: "object_above_max_properties")
    case .keyTooLong(let key, let length):
      self.init(
        .badRequest,
        "Invalid property name in 'metadata': '\(Self.shown(key))' is too long. Expected a string "
          + "with maximum length \(Metadata.keyLengthMax), but got a string with length \(length) "
          + "instead.",
        param: "metadata.\(key)", code: "property_name_above_max_length")
    case .valueTooLong(let key, let length):
      self.init(
        .badRequest,
        "Invalid 'metadata.\(Self.shown(key))': string too long. Expected a string with maximum "
          + "length \(Metadata.valueLengthMax), but got a string with length \(length) instead.",
        param: "metadata.\(key)", code: "string_above_max_length")
    case .keyContainsNUL(let key):
      self.init(
        .badRequest,
        "Invalid property name in 'metadata': '\(Self.shown(key))' contains U+0000. Expected a "
          + "string without it.",
        param: "metadata.\(key)", code: "invalid_value")
    case .valueContainsNUL(let key):
      self.init(
        .badRequest,
        "Invalid 'metadata.\(Self.shown(key))': string contains U+0000. Expected a string without "
          + "it.",
        param: "metadata.\(key)", code: "invalid_value")
    case .duplicateKey(let key):
      self.init(
        .badRequest, "Invalid property name in 'metadata': '\(Self.shown(key))' appears twice.",
        param: "metadata.\(key)", code: "invalid_json")
    }
  }

  init(_ error: StoredItemError) {
    switch error {
    case .notFound(let id):
      self.init(
        .notFound, "Item with id '\(Self.shown(id, over: 64))' not found in conversation.")
    case .referenceNotFound(let id):
      self.init(
        .notFound, "Item with id '\(Self.shown(id, over: 64))' not found.", param: "items")
    case .cursorNotFound(let cursor, let id):
      self.init(
        .notFound, "No item found with id '\(Self.shown(id, over: 64))'", param: cursor.rawValue)
    case .alreadyInConversation:
      self.init(
        .badRequest, "Item already in conversation", param: "items",
        code: "item_already_in_conversation")
    case .copiesTooLarge(let bytesMax):
      self.init(APIError.bodyTooLarge(bytesMax: bytesMax))
    }
  }

  init(_ error: StoredVersionError) {
    switch error {
    case .notFound(let id):
      self.init(
        .notFound,
        "Metadata version with id '\(Self.shown(id, over: 64))' not found in conversation.",
        code: "metadata_version_not_found")
    case .unreadable:
      self.init(
        .internalServerError,
        "The metadata version cannot be restored: what is stored is not valid. 'conversationd check' "
          + "on the server names what is wrong.",
        headers: [.shouldRetry: "false"])
    }
  }

  init(_ error: StoredKeyError) {
    switch error {
    case .nameTaken(let name):
      self.init(
        .badRequest,
        "Invalid 'name': the project has an API key named '\(name)'. Revoke it first, or take another "
          + "name.",
        param: "name", code: "name_taken")
    case .notFound(let name):
      self.init(.notFound, "API key with name '\(Self.shown(name, over: 64))' not found.")
    case .isAdmin: self.init(AccessError.adminKeyIsNotManagedHere)
    }
  }

  init(_ error: RepositoryError) {
    switch error {
    case .apiKey(let error): self.init(error)
    case .metadataVersion(let error): self.init(error)
    case .laterThanNow: self = .laterThanNow
    case .conversationNotFound:
      self.init(.notFound, "Conversation not found.")
    case .cursorNotFound(let cursor, let id):
      self.init(
        .notFound, "Conversation with id '\(id)' not found.", param: cursor.rawValue)
    case .item(let error): self.init(error)
    case .unreadableItem:
      self.init(
        .internalServerError,
        "The item cannot be shown: what is stored is not valid. 'conversationd check' on the "
          + "server names what is wrong.",
        headers: [.shouldRetry: "false"])
    case .metadata(let error):
      self.init(error)
    case .idempotencyKeyReused:
      self.init(
        .unprocessableContent,
        "The 'Idempotency-Key' was used with another path or request body. Use a new key for a new "
          + "request.",
        code: "idempotency_key_reused")
    case .preconditionFailed(.ifMatch):
      self.init(
        .preconditionFailed,
        "Precondition failed: the conversation's ETag is none of those in 'If-Match'. It was "
          + "changed; read it again.",
        code: "precondition_failed")
    case .preconditionFailed(.ifNoneMatch):
      self.init(
        .preconditionFailed,
        "Precondition failed: the conversation's ETag is one of those in 'If-None-Match'.",
        code: "precondition_failed")
    case .unreadableConversation(let id):
      self.init(
        .internalServerError,
        "The metadata of conversation '\(id)' cannot be shown: what is stored is not valid. "
          + "An update replaces it; 'conversationd check' on the server names what is wrong.",
        headers: [.shouldRetry: "false"])
    case .unavailable(let reason):
      self.init(
        .serviceUnavailable, "\(Self.message(reason)) Nothing was stored.", code: "unavailable",
        headers: [.retryAfter: Self.retryAfterSeconds])
    case .storageFull:
      self.init(
        .serviceUnavailable, "The server's disk is full. Nothing was stored.",
        code: "storage_full", headers: [.retryAfter: Self.retryAfterSeconds])
    case .commitUnknown:
      self.init(
        .internalServerError,
        "The server's disk failed while this request was being stored. Whether it is stored is "
          + "not known: read the conversation again before repeating the request.",
        code: "commit_unknown", headers: [.shouldRetry: "false"])
    case .queryTimeout:
      self.init(
        .serviceUnavailable,
        "The query took too long, or waited too long for others, and was ended. Narrow it: by a "
          + "pair or a key that fewer conversations have, or by a shorter range of 'created_at'.",
        code: "query_timeout", headers: [.shouldRetry: "false"])
    case .storage:
      self.init(
        .internalServerError,
        "The server had an error while processing your request. Its log has the cause under the "
          + "request id.",
        headers: [.shouldRetry: "false"])
    }
  }

  /// What would move the ids of everybody.
  private static let laterThanNow = ErrorResponse(
    .badRequest,
    "The id of the conversation, or one of its times, is later than now. Nothing was stored.",
    code: "invalid_value")
}
