// Both modules include the socket headers, and the one that the compiler loads first has the names.
internal import CMicroHTTPD
internal import Glibc

/// The file of a Unix socket that listens; only its user may connect, and its group if that is asked.
struct UnixSocketFile: Sendable {
  private static let mode: mode_t = 0o600
  private static let groupMode: mode_t = 0o660

  let descriptor: Int32
  private let path: String
  private let identity: Identity

  private struct Identity: Equatable {
    let device: dev_t
    let number: ino_t

    init(_ status: stat) {
      (device, number) = (status.st_dev, status.st_ino)
    }
  }

  /// Listens, and takes the place of a socket that nobody listens on any more.
  ///
  /// - Parameter letsGroupIn: Whether the file's group may connect, too.
  /// - Throws: `.cannotBind` with `EADDRINUSE` when somebody listens there, `EEXIST` when the file is
  ///   no socket, and others (bind(2)).
  init(_ path: String, letsGroupIn: Bool = false) throws(ListenError) {
    let descriptor = socket(
      AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw .cannotBind(errorNumber: errno) }
    // Before there is a file, so that it never has another mode (Linux: unix(7) does not say so).
    fchmod(descriptor, Self.mode)
    var status = stat()
    guard Self.bindInPlace(descriptor, path) == 0, lstat(path, &status) == 0,
      // Only now, since bind(2) obeys the umask.
      !letsGroupIn || chmod(path, Self.groupMode) == 0,
      listen(descriptor, SOMAXCONN) == 0
    else {
      let errorNumber = errno
      close(descriptor)
      throw .cannotBind(errorNumber: errorNumber)
    }
    self.descriptor = descriptor
    self.path = path
    identity = Identity(status)
  }

  /// Removes the file, unless somebody has put another in its place.
  func remove() {
    var status = stat()
    if lstat(path, &status) == 0, Identity(status) == identity { unlink(path) }
  }

  private static func bindInPlace(_ descriptor: Int32, _ path: String) -> Int32 {
    let code = call(bind, descriptor, path)
    guard code != 0, errno == EADDRINUSE else { return code }
    let errorNumber = reasonToLeave(path)
    guard errorNumber == 0 else {
      errno = errorNumber
      return -1
    }
    unlink(path)
    return call(bind, descriptor, path)
  }

  /// - Returns: 0 when a file is a socket without a listener.
  private static func reasonToLeave(_ path: String) -> Int32 {
    var status = stat()
    guard lstat(path, &status) == 0 else { return errno }
    guard status.st_mode & S_IFMT == S_IFSOCK else { return EEXIST }
    let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
    defer { close(probe) }
    let isDead = call(connect, probe, path) != 0 && errno == ECONNREFUSED
    return isDead ? 0 : EADDRINUSE
  }

  private static func call(
    _ function: (Int32, UnsafePointer<sockaddr>?, socklen_t) -> Int32, _ descriptor: Int32,
    _ path: String
  ) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    // `ListenAddress` holds paths to their room, so a NUL follows.
    withUnsafeMutableBytes(of: &address.sun_path) {
      $0.copyBytes(from: path.utf8.prefix($0.count - 1))
    }
    return withUnsafePointer(to: address) { address in
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        function(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }
}
