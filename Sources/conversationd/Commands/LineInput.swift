import Glibc

/// Lines of a file or of standard input.
final class LineInput {
  private static let pieceBytes = 1 << 20
  /// Longer ones would fill the memory.
  private static let lineBytesMax = 1 << 30

  private let descriptor: Int32
  private let name: String
  /// How many bytes there are; nil of a pipe.
  private let size: Int?
  private var buffer: [UInt8] = []
  private var start = 0
  private var isAtEnd = false
  private var bytesRead = 0
  /// The number of the last line, from 1 on.
  private(set) var number = 0

  /// - Parameter path: The file; `-` for standard input.
  init(_ path: String) throws(Failure) {
    name = path == "-" ? "standard input" : "'\(path)'"
    descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw Failure(
        errno == ENOENT ? .unavailable : .io, "\(name): \(SystemError(number: errno))")
    }
    var status = stat()
    let isFile = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    size = isFile ? Int(status.st_size) : nil
  }

  deinit {
    if descriptor != STDIN_FILENO { close(descriptor) }
  }

  /// Which part was read; nil when nobody knows how much there is.
  var part: Double? { size.map { $0 > 0 ? Double(bytesRead) / Double($0) : 1 } }

  /// The next line, without its line feed; nil at the end.
  func next() throws(Failure) -> [UInt8]? {
    var searched = start
    while true {
      if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        return line(to: end, next: end + 1)
      }
      searched = buffer.count - start
      if isAtEnd { return start < buffer.count ? line(to: buffer.count, next: buffer.count) : nil }
      guard searched <= Self.lineBytesMax else {
        throw Failure(.data, "\(name), line \(number + 1): over \(Self.lineBytesMax) bytes")
      }
      buffer.removeSubrange(..<start)
      start = 0
      try fill()
    }
  }

  private func line(to end: Int, next: Int) -> [UInt8] {
    defer { start = next }
    number += 1
    return Array(buffer[start..<end])
  }

  private func fill() throws(Failure) {
    let length = buffer.count
    buffer += [UInt8](repeating: 0, count: Self.pieceBytes)
    var count: Int
    repeat {
      count = buffer[length...].withUnsafeMutableBytes {
        read(descriptor, $0.baseAddress, $0.count)
      }
    } while count < 0 && errno == EINTR
    guard count >= 0 else { throw Failure(.io, "\(name): \(SystemError(number: errno))") }
    buffer.removeLast(Self.pieceBytes - count)
    bytesRead += count
    isAtEnd = count == 0
  }
}
