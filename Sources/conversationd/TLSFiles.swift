import Foundation
import HTTP

/// Where the certificate and its private key are.
struct TLSFiles: Sendable {
  let certificate: String
  let privateKey: String

  /// - Returns: nil when both are empty.
  /// - Throws: `Failure` when only one is.
  init?(certificate: String, privateKey: String) throws {
    if certificate.isEmpty && privateKey.isEmpty { return nil }
    if certificate.isEmpty || privateKey.isEmpty {
      throw Failure(
        "settings '\(Setting.certificate.key)' and '\(Setting.privateKey.key)' must be given together"
      )
    }
    self.certificate = certificate
    self.privateKey = privateKey
  }

  /// Reads both.
  ///
  /// - Throws: `Failure`, which names the file.
  func read() throws -> Certificate {
    let chain = try Self.bytes(of: certificate)
    let key = try Self.bytes(of: privateKey)
    do {
      return try Certificate(chain: chain, privateKey: key)
    } catch {
      switch error {
      case .badCertificate(let reason):
        throw Failure("certificate '\(certificate)': not PEM with a certificate: \(reason)")
      case .badPrivateKey(let reason):
        throw Failure(
          "private key '\(privateKey)': not PEM with a key that is not encrypted: \(reason)")
      case .mismatch:
        throw Failure(
          "private key '\(privateKey)': does not belong to certificate '\(certificate)'")
      }
    }
  }

  private static func bytes(of file: String) throws -> [UInt8] {
    guard FileManager.default.fileExists(atPath: file) else {
      throw Failure("TLS file '\(file)' does not exist")
    }
    guard let data = FileManager.default.contents(atPath: file) else {
      throw Failure("TLS file '\(file)' cannot be read by this user")
    }
    return Array(data)
  }
}
