internal import Conversations

extension ConversationID {
  private static let prefixCount = 5
  /// How many bytes the database has of an id.
  static let byteCount = 24

  /// The id as the database has it: its digits, two to a byte.
  var bytes: [UInt8] {
    let digits = description.utf8Span.span
    return (0..<Self.byteCount).map { index in
      let place = Self.prefixCount + 2 * index
      return Self.value(of: digits[place]) << 4 | Self.value(of: digits[place + 1])
    }
  }

  /// Reads what the database has.
  ///
  /// - Returns: nil when it is not an id.
  init?(bytes: [UInt8]) {
    guard bytes.count == Self.byteCount else { return nil }
    self.init("conv_" + String(hexadecimal: bytes))
  }

  private static func value(of digit: UInt8) -> UInt8 {
    digit < UInt8(ascii: "a") ? digit - UInt8(ascii: "0") : digit - UInt8(ascii: "a") + 10
  }

  /// A place in the order of ids after which all ids of this second and later stand, and before which
  /// all earlier ones do.
  static func placeBytes(before unixSeconds: Int64) -> [UInt8] {
    switch unixSeconds {
    case ..<0: []
    case 0...Int64(UInt32.max): withUnsafeBytes(of: UInt32(unixSeconds).bigEndian) { Array($0) }
    default: lastPlaceBytes
    }
  }

  /// A place after all ids.
  static let lastPlaceBytes = [UInt8](repeating: 0xff, count: byteCount + 1)
}

extension String {
  /// Two lower-case digits for each byte.
  init(hexadecimal bytes: [UInt8]) {
    let digits = Array("0123456789abcdef".utf8)
    self.init(unsafeUninitializedCapacity: 2 * bytes.count) { text in
      for (index, byte) in bytes.enumerated() {
        text[2 * index] = digits[Int(byte >> 4)]
        text[2 * index + 1] = digits[Int(byte & 0xf)]
      }
      return 2 * bytes.count
    }
  }

  /// The bytes that pairs of hexadecimal digits stand for.
  ///
  /// - Precondition: It has such pairs alone.
  var hexadecimalBytes: [UInt8] {
    let digits = Array(utf8)
    return stride(from: 0, to: digits.count, by: 2).map { place in
      UInt8(String(decoding: digits[place..<place + 2], as: UTF8.self), radix: 16)!
    }
  }
}
