internal import CGnuTLS

/// SHA-256 (FIPS 180-4), computed by GnuTLS, which the server links for TLS anyway.
enum SHA256 {
  private static let digestBytes = 32

  /// Hashes bytes, and calls `body` with the 32 bytes of the hash.
  static func hash<Value>(
    _ bytes: Span<UInt8>, _ body: (UnsafeRawBufferPointer) -> Value
  ) -> Value {
    withUnsafeTemporaryAllocation(byteCount: digestBytes, alignment: 16) { digest in
      let code = bytes.withUnsafeBytes {
        gnutls_hash_fast(GNUTLS_DIG_SHA256, $0.baseAddress, $0.count, digest.baseAddress!)
      }
      precondition(code == GNUTLS_E_SUCCESS, "GnuTLS cannot compute SHA-256: error \(code)")
      return body(UnsafeRawBufferPointer(digest))
    }
  }

  /// The hash as 64 lower-case hexadecimal digits.
  static func hexadecimal(of bytes: Span<UInt8>) -> String {
    hash(bytes) { String(hexadecimal: $0) }
  }
}
