import CPostgreSQL

/// libpq, PostgreSQL's client library, loaded when it is first needed: nobody who stays with SQLite
/// has to install it.
public struct Library: Sendable {
  let functions: conversationd_libpq

  /// The Debian package that has the library.
  public static let package = "libpq5"
  private static let file = "libpq.so.5"

  private static let shared = Result { () throws(LibraryError) in try Library(file: file) }

  /// Loads the library, once for the whole process.
  ///
  /// - Throws: `.notInstalled`, `.tooOld`.
  public static func load() throws(LibraryError) -> Library {
    try shared.get()
  }

  /// - Parameter file: The name of a shared library, or a path.
  init(file: String) throws(LibraryError) {
    var functions = conversationd_libpq()
    var missing: UnsafePointer<CChar>?
    guard conversationd_load_libpq(file, &functions, &missing) else {
      throw missing.map { .tooOld(missing: String(cString: $0)) } ?? .notInstalled
    }
    self.functions = functions
  }
}

/// Why libpq cannot be used.
public enum LibraryError: Error, Equatable, Sendable, CustomStringConvertible {
  /// There is no libpq on this machine.
  case notInstalled
  /// It is older than PostgreSQL 14 and lacks a function.
  case tooOld(missing: String)

  /// For a person, with the package to install.
  public var description: String {
    switch self {
    case .notInstalled:
      "libpq, PostgreSQL's client library, is not installed; on Debian and Ubuntu it is the "
        + "package '\(Library.package)'"
    case .tooOld(let missing):
      "libpq, PostgreSQL's client library, has no function \(missing): install version 14 or newer "
        + "(package '\(Library.package)')"
    }
  }
}
