import CVersion
import Glibc

/// Which version of the program this is.
enum Version {
  /// As CHANGELOG.md lists it.
  static let number = "0.2.0"

  /// The commit that it was built from; nil when the build did not say.
  static let commit: String? = {
    let name = String(cString: conversationd_commit())
    return name.isEmpty ? nil : name
  }()

  /// `0.2.0 (commit 1a2b3c4d5e6f)`, as `--version` prints it.
  static let text = number + (commit.map { " (commit \($0))" } ?? "")
}
