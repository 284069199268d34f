internal import Conversations
internal import JSON

/// The JSON of an answer: compact, with its members in the contract's order.
struct JSONBody: Sendable {
  let bytes: [UInt8]

  private init(_ write: (inout JSONWriter) -> Void) {
    var writer = JSONWriter()
    write(&writer)
    bytes = writer.bytes
  }

  /// `{"status":"ok"}`
  static let statusOK = JSONBody { $0.raw(#"{"status":"ok"}"#) }

  /// Contract, section 1.
  static func conversation(_ conversation: Conversation) -> JSONBody {
    JSONBody { json in
      json.raw(#"{"id":"#)
      json.string(conversation.id.description)
      json.raw(#","object":"conversation","created_at":"#)
      json.integer(conversation.createdAt)
      json.raw(#","metadata":{"#)
      var separator: StaticString = ""
      for pair in conversation.metadata.pairs {
        json.raw(separator)
        json.string(pair.key)
        json.raw(":")
        json.string(pair.value)
        separator = ","
      }
      json.raw("}}")
    }
  }

  /// Contract, section 3.
  static func deletion(of id: ConversationID) -> JSONBody {
    JSONBody { json in
      json.raw(#"{"id":"#)
      json.string(id.description)
      json.raw(#","object":"conversation.deleted","deleted":true}"#)
    }
  }

  /// Contract, section 4.
  static func error(
    message: String, type: String, param: String?, code: String?
  ) -> JSONBody {
    JSONBody { json in
      json.raw(#"{"error":{"message":"#)
      json.string(message)
      json.raw(#","type":"#)
      json.string(type)
      json.raw(#","param":"#)
      json.stringOrNull(param)
      json.raw(#","code":"#)
      json.stringOrNull(code)
      json.raw("}}")
    }
  }
}
