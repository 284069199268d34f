extension String {
  /// All digits of an unsigned integer, lower-case, leading zeros included: 8 for a `UInt32`.
  ///
  /// `String(_:radix:)` leaves the zeros away and takes a microsecond for 128 bits, which ids of
  /// requests and conversations would pay each time.
  package init(hexadecimal value: some FixedWidthInteger & UnsignedInteger) {
    let count = value.bitWidth / 4
    self.init(unsafeUninitializedCapacity: count) { digits in
      for index in 0..<count {
        let nibble = UInt8(truncatingIfNeeded: value >> (4 * (count - 1 - index))) & 0xf
        digits[index] = nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
      }
      return count
    }
  }
}
