import Glibc

/// A file that a command makes and writes piece by piece.
final class NewFile {
  private let descriptor: Int32
  private let path: String

  /// - Throws: `.unavailable` when it exists.
  init(_ path: String) throws(Failure) {
    self.path = path
    descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor < 0 else { return }
    guard errno != EEXIST else {
      throw Failure(.unavailable, "'\(path)' exists; nothing was written")
    }
    throw Failure(.io, "'\(path)': \(SystemError(number: errno))")
  }

  deinit {
    close(descriptor)
  }

  /// Waits until all that was written is on disk.
  func sync() throws(Failure) {
    // A pipe or a terminal has no disk.
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw Failure(.io, "'\(path)': \(SystemError(number: errno))")
    }
  }

  /// Writes all of a text.
  func write(_ text: String) throws(Failure) {
    do {
      try writeAll(Array(text.utf8), to: descriptor)
    } catch {
      throw Failure(.io, "'\(path)': \(error)")
    }
  }
}

/// Writes all of some bytes.
func writeAll(_ bytes: [UInt8], to descriptor: Int32) throws(SystemError) {
  var rest = bytes[...]
  while !rest.isEmpty {
    let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    if count < 0, errno == EINTR { continue }
    guard count >= 0 else { throw SystemError(number: errno) }
    rest = rest.dropFirst(count)
  }
}
