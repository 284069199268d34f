import CProcess
import Dispatch
import Glibc
import Synchronization

/// Runs a block on a new thread, which may block for as long as it likes.
///
/// Dispatch and Swift's concurrency share few threads among all, so what blocks there stops others.
///
/// - Parameter name: For debuggers and `ps -T`; at most 15 characters.
func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) {
  let start = Unmanaged.passRetained(ThreadStart(name: name, body: body))
  var thread = pthread_t()
  let code = pthread_create(
    &thread, nil,
    { start in
      // The one release of the reference that the new thread was given.
      let start = Unmanaged<ThreadStart>.fromOpaque(start!).takeRetainedValue()
      process_name_thread(start.name)
      start.body()
      return nil
    }, start.toOpaque())
  precondition(code == 0, "no thread: \(SystemError(number: code))")
  pthread_detach(thread)
}

/// Waits for an asynchronous function on the thread of the caller.
///
/// An asynchronous `main` would wait in dispatch_main(3), which unblocks every signal on Linux.
func waitFor<T: Sendable>(_ body: @escaping @Sendable () async -> T) -> T {
  let outcome = Outcome<T>()
  Task {
    let value = await body()
    outcome.value.withLock { $0 = value }
    outcome.isThere.signal()
  }
  outcome.isThere.wait()
  return outcome.value.withLock { $0! }
}

private final class Outcome<T: Sendable>: Sendable {
  let value = Mutex<T?>(nil)
  let isThere = DispatchSemaphore(value: 0)
}

private final class ThreadStart: Sendable {
  let name: String
  let body: @Sendable () -> Void

  init(name: String, body: @escaping @Sendable () -> Void) {
    self.name = name
    self.body = body
  }
}
