internal import Conversations
internal import HTTP
internal import HTTPTypes
internal import JSON

/// The members of a request's JSON object, read in the contract's order of checks: encoding, content
/// type, JSON, missing, unknown, type, limits.
struct RequestBody {
  /// The object; nil if there is none, which means an empty one.
  private let object: JSON?

  /// The media type of most bodies.
  static let json = "application/json"
  /// The media type of a change to a document (RFC 7396).
  static let mergePatch = "application/merge-patch+json"

  /// Reads the object. No body and `null` are an empty one.
  ///
  /// - Parameter mediaTypes: Those that the route takes, in lower case.
  /// - Throws: `.body`.
  init(_ request: Request, of mediaTypes: [String] = [json]) throws(APIError) {
    guard case .bytes(let bytes) = request.body, !bytes.isEmpty else {
      object = nil
      return
    }
    try Self.requireType(of: request, among: mediaTypes)
    let json: JSON
    do {
      json = try JSON(parsing: bytes)
    } catch {
      throw .body(.json(error))
    }
    switch json.kind {
    case .object: object = json
    case .null: object = nil
    default: throw .body(.notObject(json.kind))
    }
  }

  /// Refuses a content that is encoded, or says that it is of another media type.
  ///
  /// - Parameter mediaTypes: Those that the route takes, in lower case.
  static func requireType(
    of request: Request, among mediaTypes: [String]
  ) throws(APIError) {
    if let encoding = request.headers[.contentEncoding] {
      let isPlain = encoding.split(separator: ",").allSatisfy {
        ["", "identity"].contains($0.trimming(" \t").lowercased())
      }
      guard isPlain else { throw .body(.unsupportedContentEncoding(encoding)) }
    }
    if let contentType = request.headers[.contentType] {
      // Bytes are looked at: a semicolon and a combining mark after it are one `Character`, and
      // U+037E is equal to a semicolon.
      let bytes = contentType.utf8.prefix { $0 != UInt8(ascii: ";") }
      let mediaType = Substring(bytes).trimming(" \t")
      guard mediaTypes.contains(mediaType.lowercased()) else {
        throw .body(.unsupportedContentType(String(mediaType), supported: mediaTypes))
      }
    }
  }

  /// The metadata and the items of a new conversation.
  func creation(_ reader: ItemReader) throws(APIError) -> (Metadata, [AddedItem]) {
    try refuseUnknown(except: ["metadata", "items"])
    let metadata = try object?["metadata"].map(Self.metadata) ?? .empty
    return (metadata, try reader.created(object?["items"]))
  }

  /// The items that are added to a conversation.
  func append(_ reader: ItemReader) throws(APIError) -> [AddedItem] {
    guard let items = object?["items"] else { throw .body(.missingParameter("items")) }
    try refuseUnknown(except: ["items"])
    return try reader.appended(items)
  }

  /// The metadata that an update sets.
  func update() throws(APIError) -> Metadata {
    guard let value = object?["metadata"] else { throw .body(.missingParameter("metadata")) }
    try refuseUnknown(except: ["metadata"])
    return try Self.metadata(value)
  }

  /// Refuses whatever the object has, of a request that needs none.
  func requireEmpty() throws(APIError) {
    try refuseUnknown(except: [])
  }

  /// What a merge patch does: null removes a key, a string sets it, and what is not named stays.
  func patch() throws(APIError) -> MetadataChange {
    try refuseUnknown(except: ["metadata"])
    guard let value = object?["metadata"] else { return .merge(remove: [], set: []) }
    guard value.kind != .null else { return .replace(with: .empty) }
    guard let members = value.members else { throw .body(.metadataNotObject(value.kind)) }
    // A key that goes can break no rule: it was within the limits, or was never there.
    let removals = KeySet(members.lazy.filter { $0.value.kind == .null }.map(\.key))
    let set = try Self.metadata(members.filter { $0.value.kind != .null })
    return .merge(remove: removals, set: set.pairs)
  }

  /// The names of the rights that an API key may be given over HTTP.
  static let rights: [(name: String, rights: APIKeyRights)] = [
    ("read_only", .readOnly), ("read_write", .readWrite),
  ]

  /// The API key that is to be made.
  ///
  /// - Parameters:
  ///   - now: Unix seconds.
  ///   - maker: The key that makes it, whose limit it has.
  func newKey(now: Int64, by maker: Access) throws(APIError) -> NewAPIKey {
    if object?["admin"]?.isTrue == true { throw .access(.adminKeyIsNotManagedHere) }
    guard let name = object?["name"] else { throw .body(.missingParameter("name")) }
    guard let rights = object?["rights"] else { throw .body(.missingParameter("rights")) }
    try refuseUnknown(except: ["name", "rights", "expires_at"])
    return NewAPIKey(
      name: try keyName(name), rights: try keyRights(rights),
      expiresAt: try object?["expires_at"].flatMap { value throws(APIError) in
        try expiry(value, now: now)
      }, requestsPerMinute: maker.requestsPerMinute)
  }

  private func keyName(_ value: JSON) throws(APIError) -> APIKeyName {
    let text = try string(value, "name")
    do {
      return try APIKeyName(text)
    } catch {
      throw .body(.keyName(error))
    }
  }

  private func keyRights(_ value: JSON) throws(APIError) -> APIKeyRights {
    let text = try string(value, "rights")
    guard let rights = Self.rights.first(where: { $0.name.hasSameBytes(as: text) }) else {
      throw .parameter(
        .notAChoice(name: "rights", value: text, choices: Self.rights.map(\.name)))
    }
    return rights.rights
  }

  /// - Returns: nil for null.
  private func expiry(_ value: JSON, now: Int64) throws(APIError) -> Int64? {
    if value.kind == .null { return nil }
    guard value.kind == .integer else {
      throw .body(.wrongType("expires_at", expected: .integer, value.kind))
    }
    let text = String(decoding: value.text, as: UTF8.self)
    let seconds = Int64(text) ?? (text.hasPrefix("-") ? .min : .max)
    let (smallest, largest) = (now + 1, now + NewAPIKey.lifetimeSecondsMax)
    guard seconds >= smallest else {
      throw .parameter(.tooSmall(name: "expires_at", value: text, smallest: Int(smallest)))
    }
    guard seconds <= largest else {
      throw .parameter(.tooLarge(name: "expires_at", value: text, largest: Int(largest)))
    }
    return seconds
  }

  private func string(_ value: JSON, _ name: String) throws(APIError) -> String {
    guard let text = value.string else {
      throw .body(.wrongType(name, expected: .string, value.kind))
    }
    return text
  }

  private func refuseUnknown(except known: [String]) throws(APIError) {
    guard let members = object?.members else { return }
    for member in members where !known.contains(where: member.hasKey) {
      throw .unknownParameter(member.key)
    }
  }

  /// The set that a value stands for: an object of strings, or null.
  static func metadata(_ value: JSON) throws(APIError) -> Metadata {
    if value.kind == .null { return .empty }
    guard let members = value.members else { throw .body(.metadataNotObject(value.kind)) }
    return try metadata(members)
  }

  /// Checks the number of pairs, then pair by pair in the order sent.
  private static func metadata(_ members: [JSON.Member]) throws(APIError) -> Metadata {
    do throws(MetadataError) {
      try Metadata.requireRoom(for: members.count)
    } catch {
      throw .metadata(error)
    }
    var pairs: [Metadata.Pair] = []
    for member in members {
      guard let text = member.value.string else {
        throw .body(.metadataValueNotString(key: member.key, member.value.kind))
      }
      do throws(MetadataError) {
        pairs.append(try Metadata.Pair(key: member.key, value: text))
      } catch {
        throw .metadata(error)
      }
    }
    do throws(MetadataError) {
      return try Metadata(pairs)
    } catch {
      throw .metadata(error)
    }
  }
}

extension JSON {
  fileprivate var isTrue: Bool { kind == .boolean && text.elementsEqual("true".utf8) }
}

extension Substring {
  fileprivate func trimming(_ characters: String) -> Substring {
    var trimmed = drop { characters.contains($0) }
    while let last = trimmed.last, characters.contains(last) { trimmed.removeLast() }
    return trimmed
  }
}
