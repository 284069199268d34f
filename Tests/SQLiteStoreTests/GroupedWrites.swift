import Dispatch
import Repository
import Synchronization
import TestSupport

@testable import SQLiteStore

/// Runs writes as one group, in this order.
///
/// - Parameter prepare: Called when all of them wait, before the first runs.
/// - Returns: Their errors.
func asOneGroup(
  on repository: SQLiteStore, _ writes: [@Sendable (SQLiteStore) async throws -> Void],
  prepare: () throws -> Void = {}
) async throws -> [RepositoryError?] {
  guard writes.count > 1 else {
    try prepare()
    return [await repositoryError { try await writes[0](repository) }]
  }
  let isHeld = Flag()
  let gate = DispatchSemaphore(value: 0)
  async let held: Void = repository.writes.betweenGroups { _ in
    isHeld.raise()
    gate.wait()
  }
  try await waitUntil { isHeld.isRaised }
  defer { gate.signal() }
  let errors = try await withThrowingTaskGroup { group in
    for (index, write) in writes.enumerated() {
      group.addTask { (index, await repositoryError { try await write(repository) }) }
      try await waitUntil { repository.writes.counts.waiting == index + 1 }
    }
    try prepare()
    gate.signal()
    return try await group.reduce(into: Array(repeating: nil, count: writes.count)) {
      $0[$1.0] = $1.1
    }
  }
  try await held
  return errors
}

private final class Flag: Sendable {
  private let flag = Atomic(false)
  var isRaised: Bool { flag.load(ordering: .acquiring) }
  func raise() { flag.store(true, ordering: .releasing) }
}
