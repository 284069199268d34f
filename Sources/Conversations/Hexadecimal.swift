extension UInt8 {
  /// Whether it is one of `0` to `9` and `a` to `f`.
  package var isLowercaseHexDigit: Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self)
      || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(self)
  }
}

extension String {
  /// All digits of an unsigned integer, lower-case, leading zeros included: 8 for a `UInt32`.
  ///
  /// `String(_:radix:)` leaves the zeros away and takes a microsecond for 128 bits, which ids of
  /// requests and conversations would pay each time.
  package init(hexadecimal value: some FixedWidthInteger & UnsignedInteger) {
    self = withUnsafeBytes(of: value.bigEndian) { String(hexadecimal: $0) }
  }

  /// Two digits for each byte.
  init(hexadecimal bytes: UnsafeRawBufferPointer) {
    self.init(unsafeUninitializedCapacity: 2 * bytes.count) { digits in
      for index in bytes.indices { digits.write(bytes[index], at: 2 * index) }
      return 2 * bytes.count
    }
  }

  /// All 32 digits of a number, between two other texts.
  package init(_ start: StaticString, hexadecimal value: UInt128, _ end: StaticString = "") {
    let (digitsStart, digitsEnd) = (start.utf8CodeUnitCount, start.utf8CodeUnitCount + 32)
    let count = digitsEnd + end.utf8CodeUnitCount
    self.init(unsafeUninitializedCapacity: count) { text in
      start.withUTF8Buffer { _ = text.update(fromContentsOf: $0) }
      withUnsafeBytes(of: value.bigEndian) { bytes in
        for index in bytes.indices { text.write(bytes[index], at: digitsStart + 2 * index) }
      }
      end.withUTF8Buffer { _ = text[digitsEnd...].update(fromContentsOf: $0) }
      return count
    }
  }
}

extension UnsafeMutableBufferPointer<UInt8> {
  fileprivate func write(_ byte: UInt8, at index: Int) {
    self[index] = Self.digit(byte >> 4)
    self[index &+ 1] = Self.digit(byte & 0xf)
  }

  private static func digit(_ value: UInt8) -> UInt8 {
    value &+ (value < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") &- 10)
  }
}
