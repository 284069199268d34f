import Glibc

/// A folder of this process alone, which goes with the object.
final class TemporaryFolder {
  let path: String

  /// - Throws: `Failure` when there is no room for it in `TMPDIR`, else `/tmp`.
  init() throws(Failure) {
    let named = getenv("TMPDIR").map { String(cString: $0) } ?? ""
    let parent = named.isEmpty ? "/tmp" : named
    var template = Array("\(parent)/conversationd.XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw Failure(.io, "temporary folder in '\(parent)': \(SystemError(number: errno))")
    }
    path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  deinit {
    unlink(path + "/backup.db")
    rmdir(path)
  }
}

/// Sends the content of a file to a descriptor.
func copyFile(_ path: String, to descriptor: Int32) throws(SystemError) {
  let source = open(path, O_RDONLY | O_CLOEXEC)
  guard source >= 0 else { throw SystemError(number: errno) }
  defer { close(source) }
  var piece = [UInt8](repeating: 0, count: 1 << 20)
  while true {
    let count = read(source, &piece, piece.count)
    guard count >= 0 else { throw SystemError(number: errno) }
    if count == 0 { return }
    var start = 0
    while start < count {
      let written = piece.withUnsafeBytes {
        write(descriptor, $0.baseAddress! + start, count - start)
      }
      if written < 0, errno == EINTR { continue }
      guard written > 0 else { throw SystemError(number: errno) }
      start += written
    }
  }
}
