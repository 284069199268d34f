import Conversations
import Foundation
import Repository
import Synchronization
import TestSupport
import Testing

@testable import SQLiteStore

@Suite(.timeLimit(.minutes(3))) struct QueryPoolTests {
  private func pool(
    _ test: TestRepository, threads: Int, timeout: Duration = .seconds(60)
  ) -> QueryPool {
    QueryPool(path: test.path, busyTimeoutMilliseconds: 5000, threads: threads, timeout: timeout)
  }

  @Test func `queries that do not end hold up neither reads nor writes`() async throws {
    let test = try TestRepository()
    try test.execute(
      "BEGIN;" + SampleFile.conversations(1...200) + SampleFile.pairs(in: 1) + "COMMIT")
    // More than Swift's concurrency has threads: on those, no write would come to its end.
    let threads = ProcessInfo.processInfo.activeProcessorCount + 2
    let pool = pool(test, threads: threads)
    let never = try query("parity=even", "odd=1")
    let (started, ended) = (Counter(), Counter())
    let queries = (0..<threads).map { _ in
      Task {
        defer { ended.add() }
        return await repositoryError {
          try await pool.run { reader, isOver throws(RepositoryError) in
            started.add()
            while true { _ = try reader.page(never, in: .default, isOver: isOver) }
          }
        }
      }
    }
    try await waitUntil { started.count == threads }
    for number in 0..<20 {
      let conversation = try await test.create(["number": "\(number)"])
      #expect(try test.repository.conversation(conversation.id, in: .default) == conversation)
      try await test.replace(conversation.id, [:])
    }
    #expect(ended.count == 0)
    pool.hurry(within: .zero)
    for query in queries { #expect(await query.value == .unavailable(.closed)) }
    pool.close()
  }

  @Test func `queries past the number of threads wait, and are answered in their order`()
    async throws
  {
    let test = try TestRepository()
    try await test.create()
    let pool = pool(test, threads: 1)
    let (gate, order) = (Gate(), Order())
    let tasks = (0..<20).map { number in
      Task.immediate {
        try await pool.run { reader, _ throws(RepositoryError) in
          if number == 0 { gate.wait() }
          order.append(number)
          return try reader.page(ConversationQuery()).conversations.count
        }
      }
    }
    #expect(order.numbers.isEmpty)
    gate.open()
    for task in tasks { #expect(try await task.value == 1) }
    #expect(order.numbers == Array(0..<20))
    pool.close()
  }

  @Test func `as many queries run at the same time as there are threads, and no more`()
    async throws
  {
    let test = try TestRepository()
    let pool = pool(test, threads: 3)
    let crowd = Crowd()
    let tasks = (0..<60).map { number in
      Task.immediate {
        try await pool.run { reader, _ throws(RepositoryError) in
          crowd.enter(ObjectIdentifier(reader))
          // The first three meet.
          if number < 3 { _ = eventually { crowd.most >= 3 } }
          _ = try reader.page(ConversationQuery())
          crowd.leave()
        }
      }
    }
    for task in tasks { try await task.value }
    #expect(crowd.most == 3)
    #expect(crowd.nameCount == 3)
    pool.close()
  }

  @Test func `the deadline of a query runs while it waits for a thread`() async throws {
    let test = try TestRepository()
    try await test.create()
    let timeout = Duration.milliseconds(20)
    let pool = pool(test, threads: 1, timeout: timeout)
    let gate = Gate()
    let first = Task.immediate {
      try await pool.run { _, isOver throws(RepositoryError) in
        gate.wait()
        return isOver()
      }
    }
    let second = Task.immediate {
      await repositoryError {
        _ = try await pool.run { reader, isOver throws(RepositoryError) in
          try reader.page(ConversationQuery(), in: .default, isOver: isOver)
        }
      }
    }
    let deadline = ContinuousClock.now + timeout
    try await waitUntil { .now >= deadline }
    gate.open()
    #expect(try await first.value)
    #expect(await second.value == .queryTimeout)
    pool.close()
  }

  @Test func `in haste, queries end that run and that wait`() async throws {
    let test = try TestRepository()
    try await test.create()
    let pool = pool(test, threads: 2)
    let started = Counter()
    let tasks = (0..<6).map { _ in
      Task.immediate {
        await repositoryError {
          try await pool.run { reader, isOver throws(RepositoryError) in
            started.add()
            while true { _ = try reader.page(ConversationQuery(), in: .default, isOver: isOver) }
          }
        }
      }
    }
    try await waitUntil { started.count == 2 }
    let start = ContinuousClock.now
    pool.hurry(within: .milliseconds(1))
    for task in tasks { #expect(await task.value == .unavailable(.closed)) }
    // Their own deadline is at a minute.
    #expect(.now < start + .seconds(30))
    pool.close()
  }

  @Test func `a query that fails gives its thread and its reader back`() async throws {
    let test = try TestRepository()
    try await test.create()
    let pool = pool(test, threads: 1)
    for _ in 0..<3 {
      let error = await repositoryError {
        try await pool.run { _, _ throws(RepositoryError) in throw .conversationNotFound }
      }
      #expect(error == .conversationNotFound)
    }
    let page = try await pool.run { reader, _ throws(RepositoryError) in
      try reader.page(ConversationQuery())
    }
    #expect(page.conversations.count == 1)
    pool.close()
  }

  // MARK: The repository's own

  @Test func `a query that has no time is refused, reads and writes are not`() async throws {
    let test = try TestRepository(settings: .init(queryTimeoutMilliseconds: 0))
    let conversation = try await test.create()
    #expect(
      await repositoryError {
        _ = try await test.repository.conversations(ConversationQuery(), in: .default)
      } == .queryTimeout)
    #expect(try test.read(conversation.id) == .empty)
    try await test.replace(conversation.id, ["a": "1"])
  }

  @Test func `a repository that is to close ends its queries`() async throws {
    let test = try TestRepository()
    let conversation = try await test.create()
    let page = try await test.repository.conversations(ConversationQuery(), in: .default)
    #expect(page.conversations == [conversation])
    test.repository.prepareToClose(within: .zero)
    var error: RepositoryError?
    let deadline = ContinuousClock.now + .seconds(10)
    while error == nil, .now < deadline {
      error = await repositoryError {
        _ = try await test.repository.conversations(ConversationQuery(), in: .default)
      }
    }
    #expect(error == .unavailable(.closed))
  }

  /// A reader that is still open when the writer closes would leave the log beside the file.
  @Test func `a repository may be closed when its last query is answered`() async throws {
    for _ in 0..<50 {
      let test = try TestRepository()
      try await test.create()
      _ = try await test.repository.conversations(ConversationQuery(), in: .default)
      await test.repository.close()
      let names = try FileManager.default.contentsOfDirectory(atPath: test.folder.path)
      try #require(names == ["conversations.db"])
    }
  }
}

/// A number that threads count up.
private final class Counter: Sendable {
  private let value = Atomic(0)

  var count: Int { value.load(ordering: .sequentiallyConsistent) }

  func add() {
    value.add(1, ordering: .sequentiallyConsistent)
  }
}

/// Who is somewhere at the same time.
private final class Crowd: Sendable {
  private let state = Mutex((now: 0, most: 0, names: Set<ObjectIdentifier>()))

  /// How many were there at most.
  var most: Int { state.withLock(\.most) }
  /// How many different ones were there.
  var nameCount: Int { state.withLock(\.names.count) }

  func enter(_ name: ObjectIdentifier) {
    state.withLock { state in
      state.now += 1
      state.most = max(state.most, state.now)
      state.names.insert(name)
    }
  }

  func leave() {
    state.withLock { $0.now -= 1 }
  }
}

/// The order in which threads came by.
private final class Order: Sendable {
  private let list = Mutex<[Int]>([])

  var numbers: [Int] { list.withLock { $0 } }

  func append(_ number: Int) {
    list.withLock { $0.append(number) }
  }
}

/// Holds a thread until it is opened.
private final class Gate: Sendable {
  private let semaphore = DispatchSemaphore(value: 0)

  func wait() {
    semaphore.wait()
  }

  func open() {
    semaphore.signal()
  }
}
