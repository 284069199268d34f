internal import CEmbedded

/// A file of the repository that is part of the binary; `Sources/CEmbedded/files.c` lists them.
public struct EmbeddedFile: Sendable {
  /// Where the file is, from the repository's top: `Sources/API/openapi.json`.
  public let path: String
  /// The content of the file when the binary was built.
  public let bytes: [UInt8]

  /// All files, in the order of their paths.
  public static let all = read()

  /// The file with a path; the list in `files.c` must have it.
  public static func named(_ path: String) -> EmbeddedFile {
    guard let file = all.first(where: { $0.path == path }) else {
      preconditionFailure("Sources/CEmbedded/files.c does not list '\(path)'")
    }
    return file
  }

  private static func read() -> [EmbeddedFile] {
    var files: [EmbeddedFile] = []
    while let path = conversationd_embedded_file(files.count).path {
      let file = conversationd_embedded_file(files.count)
      files.append(
        EmbeddedFile(
          path: String(cString: path),
          bytes: Array(UnsafeBufferPointer(start: file.bytes, count: file.byteCount))))
    }
    return files
  }
}
