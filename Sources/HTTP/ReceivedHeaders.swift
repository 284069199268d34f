internal import CMicroHTTPD

/// The header fields of one request, collected from libmicrohttpd, and what they count.
struct ReceivedHeaders {
  private(set) var fields = HeaderFields()
  /// The bytes of the fields, `HeaderRoom.entryBytes` for each field, cookie and query argument, the
  /// length of `Cookie` once more, since libmicrohttpd makes a copy, and what is too long in the
  /// request line.
  private(set) var countedBytes = 0
  private var first: UnsafeRawPointer?
  private var lengthCount = 0
  private var codingCount = 0
  private var hostCount = 0
  private var hasCookie = false
  private var hasUnclearField = false

  /// - Parameters:
  ///   - requestLine: Where the request line begins; the fields follow it in memory.
  ///   - hasQuery: Whether there may be query arguments.
  init(of connection: OpaquePointer, requestLine: UnsafePointer<CChar>, hasQuery: Bool) {
    collect(.HEADER_KIND, of: connection)
    // Their bytes are those of a field and of the request line.
    if hasCookie { count(.COOKIE_KIND, of: connection) }
    if hasQuery { count(.GET_ARGUMENT_KIND, of: connection) }
    let headerBytes = conversationd_connection_header_bytes(connection)
    let lineBytes = first.map { $0 - UnsafeRawPointer(requestLine) } ?? headerBytes
    countedBytes += max(0, lineBytes - HeaderRoom.requestLineBytes)
  }

  /// The fields after a content in chunks.
  init(trailerOf connection: OpaquePointer) {
    collect(.FOOTER_KIND, of: connection)
  }

  private mutating func count(_ kind: MHD_ValueKind, of connection: OpaquePointer) {
    let count = MHD_get_connection_values_n(connection, kind, nil, nil)
    countedBytes += Int(count) * HeaderRoom.entryBytes
  }

  private mutating func collect(_ kind: MHD_ValueKind, of connection: OpaquePointer) {
    let count = withUnsafeMutablePointer(to: &self) { pointer in
      MHD_get_connection_values_n(
        connection, kind,
        { received, _, name, nameCount, value, valueCount in
          let received = received!.assumingMemoryBound(to: ReceivedHeaders.self)
          received.pointee.append(
            name: UnsafeRawBufferPointer(start: name, count: nameCount),
            value: UnsafeRawBufferPointer(start: value, count: valueCount))
          return .YES
        }, pointer)
    }
    countedBytes += Int(count) * HeaderRoom.entryBytes
  }

  private mutating func append(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
    let start = name.baseAddress!
    if first == nil { first = start }
    // From the name to the end of the line.
    let bytes = value.baseAddress! + value.count + 2 - start
    guard bytes > name.count + value.count + 2 else {
      // The value does not follow its name: libmicrohttpd has put a folded line behind the name, and
      // both somewhere else. A folded length is no length, and the content would be the next request.
      hasUnclearField = true
      return
    }
    countedBytes += bytes
    guard !name.isEmpty, name.allSatisfy(\.isTokenCharacter) else {
      hasUnclearField = true
      return
    }
    note(name, value)
    fields.append(name: name, value: value)
  }

  /// Notes what says where the request ends.
  private mutating func note(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
    switch name.count {
    case 4 where name.isSame(as: "host"): hostCount += 1
    case 6 where name.isSame(as: "cookie"):
      hasCookie = true
      countedBytes += value.count
    case 14 where name.isSame(as: "content-length"): lengthCount += 1
    case 17 where name.isSame(as: "transfer-encoding"):
      codingCount += 1
      // libmicrohttpd takes a coding with a space after it for another one, and waits for its end.
      if !value.isSame(as: "chunked") { hasUnclearField = true }
    default: break
    }
  }

  /// Whether the content comes in chunks.
  var isChunked: Bool { codingCount > 0 }

  /// libmicrohttpd would take the first of two lengths or hosts, and any transfer coding for none; a
  /// name with a space before its colon may be one of the fields in a proxy's eyes.
  var isAmbiguous: Bool {
    hasUnclearField || hostCount > 1 || lengthCount + codingCount > 1
  }
}

extension UInt8 {
  /// RFC 9110, section 5.6.2: a bit for each character of ASCII.
  fileprivate var isTokenCharacter: Bool {
    let low: UInt64 = 0x03ff_6cfa_0000_0000
    let high: UInt64 = 0x57ff_ffff_c7ff_fffe
    guard self < 0x80 else { return false }
    return (self < 64 ? low >> UInt64(self) : high >> UInt64(self - 64)) & 1 != 0
  }
}
