internal import Conversations
internal import HTTP
internal import HTTPTypes

extension Precondition {
  /// Reads `If-Match` and `If-None-Match` (RFC 9110, sections 13.1.1 and 13.1.2).
  ///
  /// A field that is not of their form names nothing: an `If-Match` of that kind is never fulfilled,
  /// so that nothing is changed by mistake, and an `If-None-Match` always is.
  init(_ headers: HeaderFields) {
    self.init(
      // The comparison is the strong one: what a weak tag names is not known byte for byte.
      ifMatch: headers[.ifMatch].map { Contents($0) { !$0.isWeak } },
      ifNoneMatch: headers[.ifNoneMatch].map { Contents($0) { _ in true } })
  }
}

extension Precondition.Contents {
  /// - Parameter counts: Whether a tag counts in the field's comparison.
  fileprivate init(_ field: String, where counts: (EntityTag) -> Bool) {
    if field.utf8.filter({ !$0.isOptionalWhitespace }) == Array("*".utf8) {
      self = .any
    } else {
      let tags = EntityTag.list(field) ?? []
      self = .oneOf(tags.filter(counts).compactMap { ContentHash($0.opaque) })
    }
  }
}

/// An entity tag as a client sends it (RFC 9110, section 8.8.3).
struct EntityTag {
  let isWeak: Bool
  /// What stands between the quotes.
  let opaque: Substring

  /// Reads a list of tags; empty members are overlooked, as RFC 9110, section 5.6.1.2 demands. Bytes
  /// are looked at, since a quote and a combining mark after it are one `Character`.
  ///
  /// - Returns: nil when the field is not such a list.
  static func list(_ field: String) -> [EntityTag]? {
    var tags: [EntityTag] = []
    var rest = field.utf8[...]
    while true {
      rest = rest.drop { $0.isOptionalWhitespace || $0 == UInt8(ascii: ",") }
      if rest.isEmpty { return tags }
      guard let tag = EntityTag(takenFrom: &rest) else { return nil }
      tags.append(tag)
      rest = rest.drop(while: \.isOptionalWhitespace)
      guard rest.isEmpty || rest.first == UInt8(ascii: ",") else { return nil }
    }
  }

  private init?(takenFrom rest: inout Substring.UTF8View) {
    isWeak = rest.starts(with: "W/".utf8)
    if isWeak { rest = rest.dropFirst(2) }
    guard rest.popFirst() == UInt8(ascii: "\"") else { return nil }
    let bytes = rest.prefix { $0 != UInt8(ascii: "\"") }
    opaque = Substring(bytes)
    rest = rest.dropFirst(bytes.count)
    // Visible characters and everything beyond ASCII.
    guard rest.popFirst() == UInt8(ascii: "\""), bytes.allSatisfy({ $0 > 0x20 && $0 != 0x7f })
    else { return nil }
  }
}

extension ContentHash {
  /// As a strong entity tag.
  var entityTag: String { String("\"", hexadecimal: value, "\"") }
}

extension UInt8 {
  fileprivate var isOptionalWhitespace: Bool {
    self == UInt8(ascii: " ") || self == UInt8(ascii: "\t")
  }
}
