internal import CGnuTLS
internal import Embedded

/// The web page of the service: its files, as they were when the binary was built.
public enum Dashboard {
  /// A file that a browser loads.
  public struct File: Sendable {
    /// Its name, without a folder: `style.css`.
    public let name: String
    /// Its media type, for `Content-Type`.
    public let mediaType: String
    /// Its content.
    public let bytes: [UInt8]
  }

  /// The page itself. It names the files that it loads with the version in their path, so that a
  /// browser never mixes the files of two versions.
  public static let page = File(
    name: pageName, mediaType: mediaType(of: pageName),
    bytes: Array(
      String(decoding: embedded.first { $0.name == pageName }!.bytes, as: UTF8.self)
        .split(separator: versionMark, omittingEmptySubsequences: false)
        .joined(separator: version).utf8))

  /// What the page loads, in the order of the names.
  public static let assets = embedded.filter { $0.name != pageName }.map {
    File(name: $0.name, mediaType: mediaType(of: $0.name), bytes: $0.bytes)
  }

  /// Changes whenever a file does: the first 64 bits of a SHA-256 of all names and contents, as 16
  /// lower-case hexadecimal digits.
  public static let version = hash(
    embedded.flatMap { Array("\($0.name) \($0.bytes.count)\n".utf8) + $0.bytes })

  private static let folder = "Sources/Dashboard/page/"
  private static let pageName = "index.html"
  private static let versionMark = "{version}"
  private static let versionBytes = 8
  private static let digestBytes = 32

  private static let embedded = EmbeddedFile.all.filter { $0.path.hasPrefix(folder) }.map {
    (name: String($0.path.dropFirst(folder.count)), bytes: $0.bytes)
  }

  private static func mediaType(of name: String) -> String {
    switch name.split(separator: ".").last {
    case "css": "text/css; charset=utf-8"
    case "html": "text/html; charset=utf-8"
    case "js": "text/javascript; charset=utf-8"
    case "svg": "image/svg+xml"
    default: preconditionFailure("no media type is known for '\(name)'")
    }
  }

  private static func hash(_ bytes: [UInt8]) -> String {
    var digest = [UInt8](repeating: 0, count: digestBytes)
    let code = gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes, bytes.count, &digest)
    precondition(code == GNUTLS_E_SUCCESS, "GnuTLS cannot compute SHA-256: error \(code)")
    return digest.prefix(versionBytes).map { byte in
      String(Int(byte) + 0x100, radix: 16).dropFirst()
    }.joined()
  }
}
