import Foundation

/// Runs blocking work, such as that of a `RawConnection`, on a thread of its own.
///
/// The threads of Swift concurrency are as few as the cores. Tests that block all of them while
/// they wait for a handler that has suspended keep that handler from going on.
public func onOwnThread<Value: Sendable>(
  _ work: @Sendable () throws -> Value
) async throws -> Value {
  try await withTaskExecutorPreference(ThreadPerJob()) { try await concurrently(work) }
}

/// `@concurrent`, or the caller's thread would run it.
@concurrent
private func concurrently<Value: Sendable>(
  _ work: @Sendable () throws -> Value
) async throws -> Value {
  try work()
}

/// An executor that starts a thread for each job.
private final class ThreadPerJob: TaskExecutor {
  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    Thread.detachNewThread { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}

/// Waits for a condition without a notice of its own, at most 10 seconds; blocks the thread.
///
/// - Returns: False when the time is over.
public func eventually(_ condition: () -> Bool) -> Bool {
  let deadline = ContinuousClock.now + .seconds(10)
  while !condition() {
    if ContinuousClock.now > deadline { return false }
    usleep(1000)
  }
  return true
}
