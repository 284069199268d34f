internal import CMicroHTTPD
internal import Glibc

extension HeaderFields {
  /// Adds the fields to a response of libmicrohttpd.
  ///
  /// It gets the first field alone, with a placeholder as its value. Into the copy of that which the
  /// response has made come the value and all other fields, as they are sent. Added one by one, each name
  /// and each value would be searched for line ends, copied, and kept in a list: a tenth of what a read
  /// costs. The interface calls the copy constant, but the response owns it, nobody has read it yet, and
  /// its length stays (libmicrohttpd 0.9.75 to 1.0).
  ///
  /// - Returns: False when there is no memory.
  func add(to response: OpaquePointer) -> Bool {
    var firstName: UnsafePointer<CChar>?
    var count = -(": ".utf8.count + "\r\n".utf8.count)
    forEach { name, value in
      if firstName == nil {
        firstName = name.baseAddress!.assumingMemoryBound(to: CChar.self)
        count -= name.count
      }
      count += name.count + ": ".utf8.count + value.count + "\r\n".utf8.count
    }
    guard let firstName, count > 0 else { return true }
    guard let start = placeholder(in: response, named: firstName, byteCount: count) else {
      return false
    }
    var end = start
    forEach { name, value in
      if end != start {
        append("\r\n", to: &end)
        append(name, to: &end)
        append(": ", to: &end)
      }
      append(value, to: &end)
    }
    assert(end == start + count, "as long as it was")
    return true
  }

  private func placeholder(
    in response: OpaquePointer, named name: UnsafePointer<CChar>, byteCount: Int
  ) -> UnsafeMutableRawPointer? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: byteCount + 1) { text in
      memset(text.baseAddress!, Int32(UInt8(ascii: "x")), byteCount)
      text[byteCount] = 0
      guard MHD_add_response_header(response, name, text.baseAddress!) == .YES else { return nil }
      return UnsafeMutableRawPointer(mutating: MHD_get_response_header(response, name))
    }
  }

  private func append(_ text: StaticString, to end: inout UnsafeMutableRawPointer) {
    append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount), to: &end)
  }

  private func append(_ bytes: UnsafeRawBufferPointer, to end: inout UnsafeMutableRawPointer) {
    end.copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
    end += bytes.count
  }
}
