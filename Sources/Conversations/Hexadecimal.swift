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
      for (index, byte) in bytes.enumerated() {
        digits[2 * index] = Self.digit(byte >> 4)
        digits[2 * index + 1] = Self.digit(byte & 0xf)
      }
      return 2 * bytes.count
    }
  }

  private static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }
}
