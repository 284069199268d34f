/// An escape in a string: a backslash and what it stands for (RFC 8259, section 7).
struct JSONEscape {
  let scalar: Unicode.Scalar
  /// The byte after the escape.
  let end: Int

  /// Reads the escape whose backslash is at an index; nil if it is none, or a lone surrogate.
  init?(in bytes: [UInt8], at backslash: Int) {
    guard backslash + 1 < bytes.count else { return nil }
    switch bytes[backslash + 1] {
    case UInt8(ascii: "\""): scalar = "\""
    case UInt8(ascii: "\\"): scalar = "\\"
    case UInt8(ascii: "/"): scalar = "/"
    case UInt8(ascii: "b"): scalar = "\u{8}"
    case UInt8(ascii: "f"): scalar = "\u{c}"
    case UInt8(ascii: "n"): scalar = "\n"
    case UInt8(ascii: "r"): scalar = "\r"
    case UInt8(ascii: "t"): scalar = "\t"
    default:
      guard let unit = Self.unit(in: bytes, at: backslash) else { return nil }
      if let scalar = Unicode.Scalar(unit) {
        self.scalar = scalar
        end = backslash + 6
        return
      }
      guard UTF16.isLeadSurrogate(unit), let low = Self.unit(in: bytes, at: backslash + 6),
        UTF16.isTrailSurrogate(low)
      else { return nil }
      scalar = UTF16.decode(UTF16.EncodedScalar([unit, low]))
      end = backslash + 12
      return
    }
    end = backslash + 2
  }

  /// The code unit of `\uXXXX`.
  private static func unit(in bytes: [UInt8], at backslash: Int) -> UInt16? {
    guard backslash + 6 <= bytes.count, bytes[backslash] == UInt8(ascii: "\\"),
      bytes[backslash + 1] == UInt8(ascii: "u")
    else { return nil }
    var unit: UInt16 = 0
    for byte in bytes[backslash + 2..<backslash + 6] {
      guard let digit = digit(byte) else { return nil }
      unit = unit << 4 | UInt16(digit)
    }
    return unit
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
