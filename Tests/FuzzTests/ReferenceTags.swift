/// The value of `If-Match` or `If-None-Match` by the grammar of RFC 9110, section 13.1, read a second
/// time to compare with.
struct ReferenceTags {
  /// Whether it is `*`.
  var isAny = false
  /// What it lists; nothing when it is of another form.
  private(set) var tags: [(isWeak: Bool, opaque: [UInt8])] = []

  private enum Place {
    case between, opaque, after
  }

  init(_ field: [UInt8]) {
    let words = field.split { $0 == 0x20 || $0 == 0x09 }
    if words.map(Array.init) == ["*".bytes] {
      isAny = true
    } else {
      tags = Self.list(field) ?? []
    }
  }

  private static func list(_ field: [UInt8]) -> [(isWeak: Bool, opaque: [UInt8])]? {
    var tags: [(isWeak: Bool, opaque: [UInt8])] = []
    var place = Place.between
    var prefix: [UInt8] = []
    for byte in field {
      switch (place, byte) {
      case (.between, UInt8(ascii: "\"")):
        guard prefix.isEmpty || prefix == "W/".bytes else { return nil }
        tags.append((!prefix.isEmpty, []))
        prefix = []
        place = .opaque
      case (.opaque, UInt8(ascii: "\"")): place = .after
      case (.opaque, 0x21...0x7e), (.opaque, 0x80...): tags[tags.count - 1].opaque.append(byte)
      case (.between, 0x20), (.between, 0x09), (.between, UInt8(ascii: ",")):
        guard prefix.isEmpty else { return nil }
      case (.between, _): prefix.append(byte)
      case (.after, 0x20), (.after, 0x09): break
      case (.after, UInt8(ascii: ",")): place = .between
      default: return nil
      }
    }
    return place == .opaque || !prefix.isEmpty ? nil : tags
  }
}
