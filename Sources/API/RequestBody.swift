internal import Conversations
internal import HTTP
internal import HTTPTypes
internal import JSON

/// The members of a request's JSON object, read in the contract's order of checks: content type,
/// JSON, missing, unknown, type, limits.
struct RequestBody {
  private let members: [(key: String, value: JSON)]

  /// The media type of most bodies.
  static let json = "application/json"
  /// The media type of a change to a document (RFC 7396).
  static let mergePatch = "application/merge-patch+json"

  /// Reads the object. No body and `null` are an empty one.
  ///
  /// - Parameter mediaTypes: Those that the route takes, in lower case.
  /// - Throws: `.unsupportedContentType`, `.json`, `.bodyNotObject`.
  init(_ request: Request, of mediaTypes: [String] = [json]) throws(APIError) {
    guard case .bytes(let bytes) = request.body, !bytes.isEmpty else {
      members = []
      return
    }
    if let contentType = request.headers.value(of: .contentType) {
      // Bytes are looked at: a semicolon and a combining mark after it are one `Character`, and
      // U+037E is equal to a semicolon.
      let bytes = contentType.utf8.prefix { $0 != UInt8(ascii: ";") }
      let mediaType = Substring(bytes).trimming(" \t")
      guard mediaTypes.contains(mediaType.lowercased()) else {
        throw .unsupportedContentType(String(mediaType), supported: mediaTypes)
      }
    }
    let json: JSON
    do {
      json = try JSON(parsing: bytes)
    } catch {
      throw .json(error)
    }
    switch json {
    case .object(let members): self.members = members
    case .null: members = []
    default: throw .bodyNotObject(json)
    }
  }

  /// The metadata of a new conversation.
  func creation() throws(APIError) -> Metadata {
    try refuseUnknown(except: ["metadata", "items"])
    switch self["items"] {
    case nil, .null: break
    case .array(let items) where items.isEmpty: break
    default: throw .itemsUnsupported
    }
    return try metadata(self["metadata"] ?? .null)
  }

  /// The metadata that an update sets.
  func update() throws(APIError) -> Metadata {
    guard let value = self["metadata"] else { throw .missingParameter("metadata") }
    try refuseUnknown(except: ["metadata"])
    return try metadata(value)
  }

  /// What a merge patch does: null removes a key, a string sets it, and what is not named stays.
  func patch() throws(APIError) -> MetadataChange {
    try refuseUnknown(except: ["metadata"])
    switch self["metadata"] {
    case nil: return .merge(remove: [], set: [])
    case .null: return .replace(with: .empty)
    case .object(let members):
      // A key that goes can break no rule: it was within the limits, or was never there.
      let removals = KeySet(members.lazy.filter { $0.value.isNull }.map(\.key))
      let set = try metadata(.object(members.filter { !$0.value.isNull }))
      return .merge(remove: removals, set: set.pairs)
    case let value?: throw .metadataNotObject(value)
    }
  }

  private subscript(name: String) -> JSON? {
    members.first { $0.key.hasSameBytes(as: name) }?.value
  }

  private func refuseUnknown(except known: [String]) throws(APIError) {
    for member in members where !known.contains(where: member.key.hasSameBytes) {
      throw .unknownParameter(member.key)
    }
  }

  /// Checks the type of the whole, the number of pairs, then pair by pair in the order sent.
  private func metadata(_ value: JSON) throws(APIError) -> Metadata {
    if case .null = value { return .empty }
    guard case .object(let members) = value else { throw .metadataNotObject(value) }
    do throws(MetadataError) {
      try Metadata.requireRoom(for: members.count)
    } catch {
      throw .metadata(error)
    }
    var pairs: [Metadata.Pair] = []
    for (key, value) in members {
      guard case .string(let text) = value else {
        throw .metadataValueNotString(key: key, value)
      }
      do throws(MetadataError) {
        pairs.append(try Metadata.Pair(key: key, value: text))
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
  fileprivate var isNull: Bool {
    if case .null = self { true } else { false }
  }
}

extension Substring {
  fileprivate func trimming(_ characters: String) -> Substring {
    var trimmed = drop { characters.contains($0) }
    while let last = trimmed.last, characters.contains(last) { trimmed.removeLast() }
    return trimmed
  }
}
