internal import CMicroHTTPD
internal import HTTPTypes

/// The header fields of one request, collected from libmicrohttpd, and what they count.
struct ReceivedHeaders {
  private(set) var fields = HTTPFields()
  /// The bytes of the fields, `HeaderRoom.entryBytes` for each field, cookie and query argument, the
  /// length of `Cookie` once more, since libmicrohttpd makes a copy, and what is too long in the
  /// request line.
  private(set) var countedBytes = 0
  private var first: UnsafeRawPointer?
  private var lengthCount = 0
  private var codingCount = 0
  private var hostCount = 0
  private var hasUnclearField = false

  /// - Parameter requestLine: Where the request line begins; the fields follow it in memory.
  init(of connection: OpaquePointer, requestLine: UnsafePointer<CChar>) {
    fields.reserveCapacity(12)
    collect(.HEADER_KIND, of: connection)
    // Their bytes are those of a field and of the request line.
    for kind in [MHD_ValueKind.COOKIE_KIND, .GET_ARGUMENT_KIND] {
      let count = MHD_get_connection_values_n(connection, kind, nil, nil)
      countedBytes += Int(count) * HeaderRoom.entryBytes
    }
    let headerBytes = conversationd_connection_header_bytes(connection)
    let lineBytes = first.map { $0 - UnsafeRawPointer(requestLine) } ?? headerBytes
    countedBytes += max(0, lineBytes - HeaderRoom.requestLineBytes)
  }

  /// The fields after a content in chunks.
  init(trailerOf connection: OpaquePointer) {
    collect(.FOOTER_KIND, of: connection)
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
    guard let name = HTTPField.Name(String(decoding: name, as: UTF8.self)) else {
      hasUnclearField = true
      return
    }
    let field =
      if let text = try? UTF8Span(validating: value.bindMemory(to: UInt8.self).span) {
        HTTPField(name: name, value: String(copying: text))
      } else {
        HTTPField(name: name, value: value)
      }
    switch name.canonicalName {
    case "host": hostCount += 1
    case "cookie": countedBytes += value.count
    case "content-length": lengthCount += 1
    case "transfer-encoding":
      codingCount += 1
      // libmicrohttpd takes a coding with a space after it for another one, and waits for its end.
      if field.value.utf8.count != value.count || field.value.lowercased() != "chunked" {
        hasUnclearField = true
      }
    default: break
    }
    fields.append(field)
  }

  /// Whether the content comes in chunks.
  var isChunked: Bool { codingCount > 0 }

  /// libmicrohttpd would take the first of two lengths or hosts, and any transfer coding for none; a
  /// name with a space before its colon may be one of the fields in a proxy's eyes.
  var isAmbiguous: Bool {
    hasUnclearField || hostCount > 1 || lengthCount + codingCount > 1
  }
}
