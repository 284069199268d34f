import Glibc

/// What systemd tells a service that it starts, and wants to hear from it (sd_notify(3),
/// sd_listen_fds(3)). The protocols are a datagram and environment variables, so no library is needed.
struct ServiceManager: Sendable {
  /// sd_listen_fds(3), SD_LISTEN_FDS_START
  private static let firstDescriptor: Int32 = 3

  /// The sockets on which to listen, instead of those of the settings; none unless systemd listens.
  let sockets: Range<Int32>
  /// How often it wants a sign of life at least; nil for never.
  let watchdogInterval: Duration?
  private let address: UnixAddress?

  /// - Parameter environment: All environment variables.
  init(environment: [String: String]) {
    func isMine(_ variable: String) -> Bool { environment[variable] == "\(getpid())" }
    address = environment["NOTIFY_SOCKET"].flatMap { UnixAddress($0) }
    let count = isMine("LISTEN_PID") ? environment["LISTEN_FDS"].flatMap { Int32($0) } ?? 0 : 0
    sockets = Self.firstDescriptor..<Self.firstDescriptor + max(0, min(count, 1024))
    let microseconds = environment["WATCHDOG_USEC"].flatMap { Int64($0) } ?? 0
    let isWatched = environment["WATCHDOG_PID"] == nil || isMine("WATCHDOG_PID")
    watchdogInterval = isWatched && microseconds > 0 ? .microseconds(microseconds) : nil
  }

  /// The service accepts connections, or has finished to read its settings again.
  func tellReady() { tell("READY=1") }

  /// The service reads its settings again.
  func tellReloading() {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    tell("RELOADING=1\nMONOTONIC_USEC=\(time.tv_sec * 1_000_000 + time.tv_nsec / 1000)")
  }

  /// The service is about to end.
  ///
  /// - Parameter within: How long that may take.
  func tellStopping(within duration: Duration) {
    tell("STOPPING=1\nEXTEND_TIMEOUT_USEC=\(Int64(duration / .microseconds(1)))")
  }

  /// The service is alive.
  func tellAlive() { tell("WATCHDOG=1") }

  /// Whoever does not listen any more misses nothing.
  private func tell(_ state: String) {
    guard let address else { return }
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    let bytes = Array(state.utf8)
    _ = address.withPointer { address, length in
      sendto(
        descriptor, bytes, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL),
        address, length)
    }
  }
}
