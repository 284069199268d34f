internal import Conversations
internal import JSON
internal import Repository

/// The JSON of an answer: compact, with its members in the contract's order.
struct JSONBody: Sendable {
  let bytes: [UInt8]

  init(_ write: (inout JSONWriter) -> Void) {
    var writer = JSONWriter()
    write(&writer)
    bytes = writer.bytes
  }

  /// `{"status":"ok"}`
  static let statusOK = JSONBody { $0.raw(#"{"status":"ok"}"#) }

  /// Contract, section 1.
  static func conversation(_ conversation: Conversation) -> JSONBody {
    JSONBody { $0.conversation(conversation) }
  }

  /// Contract, section 6.
  static func list(_ page: ConversationPage, of query: ConversationQuery) -> JSONBody {
    JSONBody { json in
      json.list(
        page.listed, hasMore: page.hasMore, id: { $0.place(by: query.orderBy).description }
      ) {
        $0.conversation($1.conversation, $1.activity, including: query.included)
      }
    }
  }

  /// Contract, section 9.
  static func metadataKeys(_ page: FacetPage) -> JSONBody {
    JSONBody { $0.facets(page, start: #"{"object":"conversation.metadata_key","key":"#) }
  }

  /// Contract, section 9.
  static func metadataValues(_ page: FacetPage) -> JSONBody {
    JSONBody { $0.facets(page, start: #"{"object":"conversation.metadata_value","value":"#) }
  }

  /// Contract, section 9.
  static func count(_ count: ConversationCount) -> JSONBody {
    JSONBody { json in
      json.raw(#"{"object":"conversation.count","count":"#)
      json.integer(count.value)
      json.raw(count.isExact ? #","is_exact":true}"# : #","is_exact":false}"#)
    }
  }

  /// Contract, section 9.
  static func apiKey(_ record: APIKeyRecord) -> JSONBody {
    JSONBody { json in
      json.raw("{")
      json.apiKeyMembers(record)
      json.raw("}")
    }
  }

  /// Contract, section 9: the keys of a project.
  static func apiKeys(_ records: [APIKeyRecord]) -> JSONBody {
    JSONBody { json in
      json.raw(#"{"object":"list","data":["#)
      var separator: StaticString = "{"
      for record in records {
        json.raw(separator)
        json.apiKeyMembers(record)
        json.lastUse(record)
        json.raw("}")
        separator = ",{"
      }
      json.raw(#"],"has_more":false}"#)
    }
  }

  /// Contract, section 9: the one answer that has the key itself.
  static func newAPIKey(_ record: APIKeyRecord, _ key: APIKey) -> JSONBody {
    JSONBody { json in
      json.raw("{")
      json.apiKeyMembers(record)
      json.lastUse(record)
      json.raw(#","value":"#)
      json.string(key.text)
      json.raw("}")
    }
  }

  /// Contract, section 9.
  static func keyDeletion(named name: String) -> JSONBody {
    JSONBody { json in
      json.raw(#"{"object":"api_key.deleted","name":"#)
      json.string(name)
      json.raw(#","deleted":true}"#)
    }
  }

  /// What stands in for an API key where none is needed (contract, section 9).
  static let withoutKey = JSONBody { json in
    json.raw(#"{"object":"api_key","name":null,"project":"#)
    json.string(Access.withoutKey.projectName)
    json.raw(#","rights":"read_write","admin":false,"redacted_value":null,"created_at":null,"#)
    json.raw(#""expires_at":null}"#)
  }

  /// Contract, section 8.5.
  static func items(_ items: [Item], hasMore: Bool) -> JSONBody {
    JSONBody { json in
      json.list(items, hasMore: hasMore, id: \.id.description) { $0.item($1) }
    }
  }

  /// Contract, section 8.1.
  static func item(_ item: Item) -> JSONBody {
    JSONBody { $0.item(item) }
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

extension JSONWriter {
  /// Writes a list as OpenAI's API has them.
  ///
  /// - Parameters:
  ///   - hasMore: Whether there are more elements beyond these.
  ///   - id: The id of an element.
  ///   - write: Writes an element.
  mutating func list<Element>(
    _ elements: [Element], hasMore: Bool, id: (Element) -> String,
    write: (inout JSONWriter, Element) -> Void
  ) {
    raw(#"{"object":"list","data":["#)
    var separator: StaticString = ""
    for element in elements {
      raw(separator)
      write(&self, element)
      separator = ","
    }
    raw(#"],"first_id":"#)
    stringOrNull(elements.first.map(id))
    raw(hasMore ? #","has_more":true,"last_id":"# : #","has_more":false,"last_id":"#)
    stringOrNull(elements.last.map(id))
    raw("}")
  }

  /// - Parameters:
  ///   - activity: Of the conversation, if something of it is included.
  ///   - included: What to tell beside what it is.
  fileprivate mutating func conversation(
    _ conversation: Conversation, _ activity: Activity? = nil,
    including included: Set<ConversationQuery.Inclusion> = []
  ) {
    openConversation(conversation)
    if included.contains(.itemCount) {
      raw(#","item_count":"#)
      integer(activity?.itemCount ?? 0)
    }
    if included.contains(.lastActivityAt) {
      raw(#","last_activity_at":"#)
      integer(activity?.lastSeconds ?? conversation.createdAt)
    }
    raw("}")
  }

  /// Writes the members of a conversation; the object stays open.
  mutating func openConversation(_ conversation: Conversation) {
    raw(#"{"id":"#)
    string(conversation.id.description)
    raw(#","object":"conversation","created_at":"#)
    integer(conversation.createdAt)
    metadata(conversation.metadata)
  }

  /// Writes the member that a set is.
  mutating func metadata(_ metadata: Metadata) {
    raw(#","metadata":{"#)
    var separator: StaticString = ""
    metadata.forEach { key, value in
      raw(separator)
      string(utf8: key)
      raw(":")
      string(utf8: value)
      separator = ","
    }
    raw("}")
  }

  mutating func item(_ item: Item) {
    raw(#"{"id":"#)
    string(item.id.description)
    raw(#","type":"#)
    string(item.type)
    // What follows the opening brace: the members, or the closing brace.
    let rest = item.fields.dropFirst()
    if rest.count > 1 { raw(",") }
    raw(rest)
  }

  /// - Parameter start: What stands before the text of each facet.
  fileprivate mutating func facets(_ page: FacetPage, start: StaticString) {
    raw(#"{"object":"list","data":["#)
    var separator: StaticString = ""
    for facet in page.facets {
      raw(separator)
      raw(start)
      string(facet.text)
      raw(#","count":"#)
      integerOrNull(facet.count?.value)
      switch facet.count?.isExact {
      case true: raw(#","is_exact":true}"#)
      case false: raw(#","is_exact":false}"#)
      default: raw(#","is_exact":null}"#)
      }
      separator = ","
    }
    raw(page.hasMore ? #"],"has_more":true}"# : #"],"has_more":false}"#)
  }

  fileprivate mutating func apiKeyMembers(_ record: APIKeyRecord) {
    raw(#""object":"api_key","name":"#)
    string(record.name)
    raw(#","project":"#)
    string(record.project)
    raw(#","rights":"#)
    raw(record.rights == .readOnly ? #""read_only""# : #""read_write""#)
    raw(record.rights == .admin ? #","admin":true"# : #","admin":false"#)
    raw(#","redacted_value":"#)
    string("\(record.firstCharacters)...")
    raw(#","created_at":"#)
    integer(record.createdAt)
    raw(#","expires_at":"#)
    integerOrNull(record.expiresAt)
  }

  fileprivate mutating func lastUse(_ record: APIKeyRecord) {
    raw(#","last_used_at":"#)
    integerOrNull(record.lastUsedAt)
  }

  fileprivate mutating func integerOrNull(_ value: (some BinaryInteger)?) {
    if let value { integer(value) } else { raw("null") }
  }
}
