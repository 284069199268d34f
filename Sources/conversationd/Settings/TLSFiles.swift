import Glibc
import HTTP

/// Where the certificate and its private key are.
struct TLSFiles: Sendable {
  let certificate: String
  let privateKey: String

  /// - Returns: nil when both are empty.
  /// - Throws: `Failure` when only one is.
  init?(certificate: String, privateKey: String) throws(Failure) {
    if certificate.isEmpty && privateKey.isEmpty { return nil }
    if certificate.isEmpty || privateKey.isEmpty {
      throw Failure(
        .configuration, "settings 'tls.certificate' and 'tls.private_key' must be given together")
    }
    self.certificate = certificate
    self.privateKey = privateKey
  }

  /// Reads both.
  ///
  /// - Throws: `Failure`, which names the file.
  func read() throws(Failure) -> Certificate {
    let chain = try Self.bytes(of: certificate)
    let key = try Self.bytes(of: privateKey)
    do {
      return try Certificate(chain: chain, privateKey: key)
    } catch {
      switch error {
      case .badCertificate(let reason):
        throw Failure(
          .configuration, "certificate '\(certificate)': not PEM with a certificate: \(reason)")
      case .badPrivateKey(let reason):
        throw Failure(
          .configuration,
          "private key '\(privateKey)': not PEM with a key that is not encrypted: \(reason)")
      case .mismatch:
        throw Failure(
          .configuration,
          "private key '\(privateKey)': does not belong to certificate '\(certificate)'")
      }
    }
  }

  private static func bytes(of file: String) throws(Failure) -> [UInt8] {
    do {
      return try readFile(file)
    } catch {
      let reason = error.number == ENOENT ? "does not exist" : "cannot be read: \(error)"
      throw Failure(.configuration, "TLS file '\(file)' \(reason)")
    }
  }
}
