internal import CMicroHTTPD

/// A certificate with its chain and its private key, as a TLS server shows them.
///
/// `@unchecked Sendable` because nothing in it changes after `init`, and GnuTLS may use its objects
/// from several threads while nobody changes them.
public final class Certificate: @unchecked Sendable {
  private static let chainLengthMax = 16

  /// When it expires, in Unix seconds.
  public let expiresAt: Int64

  let chain: UnsafeMutablePointer<gnutls_pcert_st>
  let chainLength: UInt32
  let privateKey: gnutls_privkey_t

  /// - Parameters:
  ///   - chain: PEM: the server's certificate first, then those that lead from it to the root.
  ///   - privateKey: PEM, not encrypted.
  /// - Throws: `.badCertificate`, `.badPrivateKey`, `.mismatch`.
  public init(chain chainPEM: [UInt8], privateKey privateKeyPEM: [UInt8]) throws(CertificateError) {
    let chain = UnsafeMutablePointer<gnutls_pcert_st>.allocate(capacity: Self.chainLengthMax)
    self.chain = chain
    var length = UInt32(Self.chainLengthMax)
    let chainCode = Self.withDatum(chainPEM) { datum in
      gnutls_pcert_list_import_x509_raw(
        chain, &length, datum, GNUTLS_X509_FMT_PEM,
        GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED.rawValue)
    }
    chainLength = chainCode == GNUTLS_E_SUCCESS ? length : 0
    var key: gnutls_privkey_t?
    let keyCode = gnutls_privkey_init(&key)
    guard keyCode == GNUTLS_E_SUCCESS, let key else { preconditionFailure("no memory for a key") }
    privateKey = key
    expiresAt = chainLength > 0 ? Self.expiry(of: chain) : 0
    // From here on `deinit` frees what there is.
    guard chainCode == GNUTLS_E_SUCCESS, length > 0 else {
      throw .badCertificate(
        reason: chainCode == GNUTLS_E_SHORT_MEMORY_BUFFER
          ? "it has more than \(Self.chainLengthMax)" : Self.words(chainCode))
    }
    let importCode = Self.withDatum(privateKeyPEM) { datum in
      gnutls_privkey_import_x509_raw(key, datum, GNUTLS_X509_FMT_PEM, nil, 0)
    }
    guard importCode == GNUTLS_E_SUCCESS else {
      throw .badPrivateKey(reason: Self.words(importCode))
    }
    guard let id = Self.keyID(of: chain[0].pubkey), id == Self.keyID(ofPublicHalf: key) else {
      throw .mismatch
    }
  }

  deinit {
    for index in 0..<Int(chainLength) { gnutls_pcert_deinit(chain + index) }
    chain.deallocate()
    gnutls_privkey_deinit(privateKey)
  }

  private static func withDatum<T>(
    _ bytes: [UInt8], _ body: (UnsafePointer<gnutls_datum_t>) -> T
  ) -> T {
    var bytes = bytes
    return bytes.withUnsafeMutableBufferPointer { buffer in
      var datum = gnutls_datum_t(data: buffer.baseAddress, size: UInt32(buffer.count))
      return body(&datum)
    }
  }

  private static func expiry(of certificate: UnsafeMutablePointer<gnutls_pcert_st>) -> Int64 {
    var exported: gnutls_x509_crt_t?
    guard gnutls_pcert_export_x509(certificate, &exported) == GNUTLS_E_SUCCESS, let exported
    else { return 0 }
    defer { gnutls_x509_crt_deinit(exported) }
    return Int64(gnutls_x509_crt_get_expiration_time(exported))
  }

  private static func keyID(ofPublicHalf privateKey: gnutls_privkey_t) -> [UInt8]? {
    var publicKey: gnutls_pubkey_t?
    guard gnutls_pubkey_init(&publicKey) == GNUTLS_E_SUCCESS, let publicKey else { return nil }
    defer { gnutls_pubkey_deinit(publicKey) }
    guard gnutls_pubkey_import_privkey(publicKey, privateKey, 0, 0) == GNUTLS_E_SUCCESS else {
      return nil
    }
    return keyID(of: publicKey)
  }

  private static func keyID(of publicKey: gnutls_pubkey_t?) -> [UInt8]? {
    var id = [UInt8](repeating: 0, count: 64)
    var count = id.count
    let flags = UInt32(GNUTLS_KEYID_USE_SHA256.rawValue)
    guard gnutls_pubkey_get_key_id(publicKey, flags, &id, &count) == GNUTLS_E_SUCCESS else {
      return nil
    }
    return Array(id.prefix(count))
  }

  private static func words(_ code: Int32) -> String {
    String(cString: gnutls_strerror(code))
  }
}

/// Why a certificate cannot be used.
public enum CertificateError: Error, Equatable, Sendable {
  /// The chain is not PEM, has no certificate, or too many; mostly GnuTLS's words.
  case badCertificate(reason: String)
  /// The private key is not PEM, or is encrypted; GnuTLS's words.
  case badPrivateKey(reason: String)
  /// The private key is not the certificate's.
  case mismatch
}
