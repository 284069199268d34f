import Foundation

/// A fresh folder that goes with the value.
public final class TemporaryFolder: Sendable {
  /// The absolute path.
  public let path: String

  /// Makes the folder.
  public init() {
    let url = FileManager.default.temporaryDirectory
      .appending(path: "conversationd-tests-\(UUID().uuidString)")
    try! FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    path = url.path
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }

  /// The path of a file in it.
  public func file(_ name: String) -> String {
    "\(path)/\(name)"
  }
}
