import Glibc

/// What systemd tells a service that it starts, and wants to hear from it (sd_notify(3),
/// sd_listen_fds(3)). The protocols are a datagram and environment variables, so no library is needed.
struct ServiceManager: Sendable {
  /// sd_listen_fds(3), SD_LISTEN_FDS_START
  private static let firstDescriptor: Int32 = 3

  /// How long it may take until there is room for what it is told.
  private static let roomSeconds = 5

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

  /// The service is alive. One sign that finds no room is not missed: the next one comes soon.
  func tellAlive() { tell("WATCHDOG=1", flags: Int32(MSG_DONTWAIT)) }

  /// Waits for room for a while, since no state is told twice. Whoever does not listen any more misses
  /// nothing.
  private func tell(_ state: String, flags: Int32 = 0) {
    guard let address else { return }
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    var timeout = timeval(tv_sec: Self.roomSeconds, tv_usec: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    let bytes = Array(state.utf8)
    _ = address.withPointer { address, length in
      sendto(
        descriptor, bytes, bytes.count, flags | Int32(MSG_NOSIGNAL), address, length)
    }
  }
}
