import Dispatch
import Glibc
import Synchronization

/// Lines on their way to a descriptor. A thread of its own writes them, so that only this thread
/// waits for whoever reads them.
///
/// When too much waits, further lines are dropped and counted, and one line says how many.
final class LogQueue: Sendable {
  /// How much may wait to be written.
  static let bytesMax = 8 << 20
  /// How long the end of the process waits for what is queued.
  static let flushTimeout = DispatchTimeInterval.seconds(2)

  /// How long the thread lets lines gather after it wrote some: to wake it for each line would cost a
  /// busy server a fifth of its time.
  private static let gatheringMicroseconds: useconds_t = 2000

  private let descriptor: Int32
  private let lineAboutDropped: @Sendable (_ count: Int) -> [UInt8]
  private let whenDropped: @Sendable (_ count: Int) -> Void
  private let state = Mutex(State())
  /// Signalled when something is queued while the thread is idle.
  private let work = DispatchSemaphore(value: 0)

  private struct State {
    /// Those that wait, one after the other.
    var lines: [UInt8] = []
    /// What waits, and what the thread is writing.
    var unwrittenBytes = 0
    /// Lines that found no room since that was last told.
    var droppedCount = 0
    /// Whether everything is written, and the thread must be woken for more.
    var isIdle = true
    /// Signalled when everything is written.
    var flushes: [DispatchSemaphore] = []
  }

  /// - Parameters:
  ///   - descriptor: Where to write; it stays open.
  ///   - lineAboutDropped: Makes the line that says how many were dropped.
  ///   - whenDropped: Counts lines that were dropped; called by any thread.
  init(
    to descriptor: Int32, lineAboutDropped: @escaping @Sendable (_ count: Int) -> [UInt8],
    whenDropped: @escaping @Sendable (_ count: Int) -> Void = { _ in }
  ) {
    self.descriptor = descriptor
    self.lineAboutDropped = lineAboutDropped
    self.whenDropped = whenDropped
    startThread("log") { self.writeForEver() }
  }

  /// Queues a line, or drops it when too much waits. Never waits for the reader.
  ///
  /// - Parameter line: With its line feed.
  func append(_ line: [UInt8]) {
    let (isDropped, wasIdle) = state.withLock { state in
      guard state.unwrittenBytes + line.count <= Self.bytesMax else {
        state.droppedCount += 1
        return (true, false)
      }
      state.lines += line
      state.unwrittenBytes += line.count
      defer { state.isIdle = false }
      return (false, state.isIdle)
    }
    if isDropped { whenDropped(1) }
    if wasIdle { work.signal() }
  }

  /// Waits until everything is written, but no longer than `flushTimeout`.
  func flush() {
    let written = DispatchSemaphore(value: 0)
    let isIdle = state.withLock { state in
      if !state.isIdle { state.flushes.append(written) }
      return state.isIdle
    }
    if !isIdle { _ = written.wait(timeout: .now() + Self.flushTimeout) }
  }

  // MARK: The thread

  private func writeForEver() {
    var untoldCount = 0
    while true {
      let (lines, droppedCount) = next()
      untoldCount += droppedCount + write(lines)
      if untoldCount > 0, writePiece(lineAboutDropped(untoldCount)[...]) { untoldCount = 0 }
      usleep(Self.gatheringMicroseconds)
    }
  }

  /// Waits for lines. Those that were dropped came after those that are returned.
  private func next() -> (lines: [UInt8], droppedCount: Int) {
    while true {
      let next: (lines: [UInt8], droppedCount: Int)? = state.withLock { state in
        if state.lines.isEmpty, state.droppedCount == 0 {
          state.isIdle = true
          for flush in state.flushes { flush.signal() }
          state.flushes = []
          return nil
        }
        defer { (state.lines, state.droppedCount) = ([], 0) }
        return (state.lines, state.droppedCount)
      }
      if let next { return next }
      work.wait()
    }
  }

  /// - Returns: How many lines could not be written.
  private func write(_ lines: [UInt8]) -> Int {
    var lostCount = 0
    var rest = lines[...]
    while !rest.isEmpty {
      let piece = Self.piece(of: rest)
      if !writePiece(piece) { lostCount += piece.count { $0 == UInt8(ascii: "\n") } }
      rest = rest[piece.endIndex...]
      state.withLock { $0.unwrittenBytes -= piece.count }
    }
    if lostCount > 0 { whenDropped(lostCount) }
    return lostCount
  }

  /// Whole lines, as many as a pipe takes in one piece: those of other processes come before or
  /// after it (pipe(7)).
  private static func piece(of lines: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    let most = lines.prefix(Int(PIPE_BUF))
    guard most.endIndex < lines.endIndex, let end = most.lastIndex(of: UInt8(ascii: "\n")) else {
      return most
    }
    return most[...end]
  }

  /// - Returns: Whether all of it was written.
  private func writePiece(_ piece: ArraySlice<UInt8>) -> Bool {
    var rest = piece
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno == EAGAIN {
        // Somebody else who has the same pipe made it non-blocking.
        var room = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&room, 1, -1)
      } else if errno != EINTR {
        return false
      }
    }
    return true
  }
}
