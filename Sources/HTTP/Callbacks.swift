internal import CMicroHTTPD
internal import Glibc

// What libmicrohttpd and GnuTLS call. The functions capture nothing: each recovers its object and
// makes one call.

/// libmicrohttpd begins to serve a connection, or is about to close it.
func connectionChanged(
  context: UnsafeMutableRawPointer?, connection: OpaquePointer?,
  client: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, change: MHD_ConnectionNotificationCode
) {
  let loop = Unmanaged<EventLoop>.fromOpaque(context!).takeUnretainedValue()
  switch change {
  case .CONNECTION_NOTIFY_STARTED:
    let taken = loop.begin(conversationd_connection_socket(connection))
    // Balanced by the release below.
    client!.pointee = Unmanaged.passRetained(taken).toOpaque()
    if let session = conversationd_connection_session(connection) {
      gnutls_session_set_ptr(session, context)
    }
  default:
    guard let retained = client?.pointee else { return }
    client?.pointee = nil
    let client = Unmanaged<ClientConnection>.fromOpaque(retained)
    loop.end(client.takeUnretainedValue())
    client.release()
  }
}

/// A TLS handshake needs the certificate, which stays ours.
func certificateRequested(
  session: gnutls_session_t?, authorities: UnsafePointer<gnutls_datum_t>?, authorityCount: Int32,
  algorithms: UnsafePointer<gnutls_pk_algorithm_t>?, algorithmCount: Int32,
  chain: UnsafeMutablePointer<UnsafeMutablePointer<gnutls_pcert_st>?>?,
  chainLength: UnsafeMutablePointer<UInt32>?, privateKey: UnsafeMutablePointer<gnutls_privkey_t?>?
) -> Int32 {
  let pointer = gnutls_session_get_ptr(session)
  let loop = Unmanaged<EventLoop>.fromOpaque(pointer!).takeUnretainedValue()
  guard let certificate = loop.server.certificate else { return -1 }
  chain!.pointee = certificate.chain
  chainLength!.pointee = certificate.chainLength
  privateKey!.pointee = certificate.privateKey
  return 0
}

func requestStarted(
  context: UnsafeMutableRawPointer?, target: UnsafePointer<CChar>?, connection: OpaquePointer?
) -> UnsafeMutableRawPointer? {
  let loop = Unmanaged<EventLoop>.fromOpaque(context!).takeUnretainedValue()
  let client = Unmanaged<ClientConnection>.fromOpaque(
    conversationd_connection_context(connection)!
  ).takeUnretainedValue()
  let exchange = Exchange(
    loop: loop, connection: connection!, client: client, target: target!)
  // Balanced by the release in `requestCompleted`, which libmicrohttpd calls for each started one.
  return Unmanaged.passRetained(exchange).toOpaque()
}

func requestReceived(
  context: UnsafeMutableRawPointer?, connection: OpaquePointer?, path: UnsafePointer<CChar>?,
  method: UnsafePointer<CChar>?, version: UnsafePointer<CChar>?, content: UnsafePointer<CChar>?,
  contentCount: UnsafeMutablePointer<Int>?,
  exchange: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> MHD_Result {
  let exchange = Unmanaged<Exchange>.fromOpaque(exchange!.pointee!).takeUnretainedValue()
  let content = UnsafeRawBufferPointer(start: content, count: contentCount!.pointee)
  contentCount!.pointee = 0
  return exchange.receive(method: method!, content: content) ? .YES : .NO
}

func requestCompleted(
  context: UnsafeMutableRawPointer?, connection: OpaquePointer?,
  exchange: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, reason: MHD_RequestTerminationCode
) {
  guard let pointer = exchange?.pointee else { return }
  exchange?.pointee = nil
  let retained = Unmanaged<Exchange>.fromOpaque(pointer)
  retained.takeUnretainedValue().complete()
  retained.release()
}

/// Keeps `%` sequences: decoding the whole path would make `%2F` a separator and `%00` its end.
func leaveEscaped(
  context: UnsafeMutableRawPointer?, connection: OpaquePointer?, text: UnsafeMutablePointer<CChar>?
) -> Int {
  strlen(text!)
}
