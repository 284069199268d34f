import CPostgreSQL
import Glibc

/// A connection URI (`postgresql://…`,
/// https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS), whose password
/// stays in it: no description, error or log line shows it.
public struct DatabaseURL: Sendable, CustomStringConvertible {
  /// The options that the URI sets, in libpq's order.
  let options: [Option]

  struct Option: Sendable {
    let keyword: String
    let value: String
  }

  private static let schemes = ["postgresql://", "postgres://"]
  private static let secrets: Set<String> = [
    "password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key",
  ]

  /// Whether a text is meant as such a URI.
  public static func isURL(_ text: String) -> Bool {
    schemes.contains { text.hasPrefix($0) }
  }

  /// Reads a URI.
  ///
  /// - Throws: `.library` when libpq is missing; what is wrong with the URI, never with a part of it,
  ///   which may be the password.
  public init(_ text: String) throws(DatabaseURLError) {
    guard let scheme = Self.schemes.first(where: text.hasPrefix) else { throw .otherScheme }
    // libpq would take the password for a host, a port or a database then, and show it in errors.
    let place = text.dropFirst(scheme.count).prefix { $0 != "?" }
    let isAmbiguous =
      place.drop(while: { $0 != "/" }).contains("@") || place.count { $0 == "@" } > 1
    if isAmbiguous { throw .unescapedPassword }
    let library: Library
    do {
      library = try Library.load()
    } catch {
      throw .library(error)
    }
    var words: UnsafeMutablePointer<CChar>?
    // libpq allocates the words by malloc(3); they may quote the URI, so nobody sees them.
    defer { free(words) }
    guard let parsed = library.functions.PQconninfoParse(text, &words) else { throw .malformed }
    defer { library.functions.PQconninfoFree(parsed) }
    var options: [Option] = []
    var next = parsed
    while let keyword = next.pointee.keyword {
      if let value = next.pointee.val {
        options.append(Option(keyword: String(cString: keyword), value: String(cString: value)))
      }
      next += 1
    }
    self.options = options
    let ports = self["port"]?.split(separator: ",", omittingEmptySubsequences: true) ?? []
    guard ports.allSatisfy({ UInt16($0) != nil }) else { throw .malformedPort }
  }

  /// The value of an option; nil when the URI does not set it.
  subscript(keyword: String) -> String? {
    options.first { $0.keyword == keyword }?.value
  }

  /// The URI without its password: `postgresql://user:***@host:5432/database`, other options behind.
  public var description: String {
    let user = self["user"].map { Self.escaped($0) }
    let password = self["password"] == nil ? "" : ":***"
    let place = user.map { "\($0)\(password)@" } ?? (password.isEmpty ? "" : "\(password)@")
    let hosts = (self["host"] ?? self["hostaddr"] ?? "").split(
      separator: ",", omittingEmptySubsequences: false)
    let ports = (self["port"] ?? "").split(separator: ",", omittingEmptySubsequences: false)
    let servers = hosts.enumerated().map { index, host in
      let port = ports.count == 1 ? ports[0] : index < ports.count ? ports[index] : ""
      return Self.escaped(String(host), keeping: ":[]") + (port.isEmpty ? "" : ":\(port)")
    }
    let shown: Set<String> = ["user", "password", "host", "port", "dbname"]
    let rest = options.filter { !shown.contains($0.keyword) }.map { option in
      let isSecret = Self.secrets.contains(option.keyword)
      return "\(option.keyword)=\(isSecret ? "***" : Self.escaped(option.value, keeping: "/"))"
    }
    let database = self["dbname"].map { "/" + Self.escaped($0) } ?? ""
    return "postgresql://\(place)\(servers.joined(separator: ","))\(database)"
      + (rest.isEmpty ? "" : "?\(rest.joined(separator: "&"))")
  }

  private static func escaped(_ text: String, keeping others: String = "") -> String {
    let plain = "-._~" + others
    return text.utf8.map { byte in
      let scalar = Unicode.Scalar(byte)
      let isPlain =
        scalar.isASCII
        && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil
          || plain.unicodeScalars.contains(scalar))
      return isPlain
        ? String(scalar) : "%" + String(0x100 + Int(byte), radix: 16, uppercase: true).dropFirst()
    }.joined()
  }
}

/// What is wrong with a connection URI.
public enum DatabaseURLError: Error, Equatable, Sendable, CustomStringConvertible {
  /// It does not begin with `postgresql://`.
  case otherScheme
  /// The user name or the password has a `/` or `@` that is not percent-encoded.
  case unescapedPassword
  /// A port is not a number from 0 to 65535.
  case malformedPort
  /// libpq cannot read it for another reason.
  case malformed
  /// libpq cannot be loaded.
  case library(LibraryError)

  /// For a person; no part of the URI is in it.
  public var description: String {
    switch self {
    case .otherScheme: "the URL does not begin with postgresql://"
    case .unescapedPassword:
      "the URL has two '@', or one after a '/': in a user name or a password, write '/' as %2F and "
        + "'@' as %40"
    case .malformedPort: "a port in the URL is not a number from 0 to 65535"
    case .malformed:
      "the URL cannot be read: see the form at "
        + "https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS"
    case .library(let error): error.description
    }
  }
}
