import Conversations
import PostgreSQL
import Repository
import Synchronization
import TestSupport
import Testing

@testable import PostgreSQLStore

/// Write groups, of one program and of several on one database.
@Suite struct GroupTests {
  let database: TestDatabase

  init() throws {
    database = try TestDatabase()
  }

  @Test func `requests that come together are one group`() async throws {
    let sizes = Mutex<[Int]>([])
    let store = try database.store(
      writeLanes: 1,
      whenGroupEnded: { group in sizes.withLock { $0.append(group.waits.count) } })
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      for _ in 0..<200 { tasks.addTask { try await store.create(["a": "1"]) } }
      try await tasks.waitForAll()
    }
    // A group tells that it has ended after it has answered.
    await store.close()
    #expect(sizes.withLock { $0.reduce(0, +) } == 200)
    #expect(sizes.withLock { $0.max()! } > 1)
    #expect(try database.number("SELECT count(*) FROM conversations") == 200)
  }

  @Test func `changes of one conversation keep their order`() async throws {
    let store = try database.store(writeLanes: 3)
    let id = try await store.create().id
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      for n in 0..<50 {
        tasks.addTask {
          let change = MetadataChange.merge(
            remove: [], set: try metadata(["k\(n % 16)": "\(n)"]).pairs)
          _ = try await store.changeMetadata(of: id, in: .default, by: change)
        }
      }
      try await tasks.waitForAll()
    }
    #expect(try await store.read(id).pairs.count == 16)
    #expect(try database.findings().isEmpty)
    await store.close()
  }

  @Test func `one request that the schema refuses spoils no other`() async throws {
    try database.execute(
      """
      CREATE FUNCTION dislike() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'disliked'; END $$;
      CREATE TRIGGER disliked BEFORE INSERT ON pairs FOR EACH ROW
        WHEN (NEW.value = 'bad') EXECUTE FUNCTION dislike()
      """)
    let store = try database.store(writeLanes: 1)
    let results = await withTaskGroup(of: RepositoryError?.self) { tasks in
      for n in 0..<20 {
        tasks.addTask {
          await repositoryError { try await store.create(["a": n == 7 ? "bad" : "good"]) }
        }
      }
      return await tasks.reduce(into: []) { $0.append($1) }
    }
    #expect(results.filter { $0 == nil }.count == 19)
    guard case .storage(let cause) = results.compactMap(\.self).first else {
      Issue.record("no storage error")
      return
    }
    #expect(cause.kind == .constraint && cause.description.contains("disliked"))
    #expect(try database.number("SELECT count(*) FROM conversations") == 19)
    await store.close()
  }

  @Test func `a change whose former set cannot be kept is undone, and others are stored`()
    async throws
  {
    try database.execute(
      """
      CREATE FUNCTION dislike() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'disliked'; END $$;
      CREATE TRIGGER disliked AFTER INSERT ON metadata_history FOR EACH ROW
        WHEN (NEW.metadata ? 'bad') EXECUTE FUNCTION dislike()
      """)
    var settings = StoreSettings()
    settings.metadataHistoryDays = 1
    let store = try database.store(writeLanes: 1, shared: settings)
    let ids = try await [store.create(["bad": ""]).id, store.create(["good": ""]).id]
    let errors = await withTaskGroup(of: RepositoryError?.self) { tasks in
      for id in ids {
        tasks.addTask {
          await repositoryError {
            _ = try await store.changeMetadata(of: id, in: .default, by: .replace(with: .empty))
          }
        }
      }
      return await tasks.reduce(into: []) { $0.append($1) }
    }
    #expect(errors.count { $0 == nil } == 1)
    #expect(try await store.read(ids[0]) == metadata(["bad": ""]))
    #expect(try await store.read(ids[1]) == .empty)
    #expect(try database.number("SELECT count(*) FROM metadata_history") == 1)
    await store.close()
  }

  @Test func `one request that ends its session again and again holds up no other`() async throws {
    try database.execute(
      """
      CREATE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
      CREATE TRIGGER left_at BEFORE INSERT ON pairs FOR EACH ROW
        WHEN (NEW.value = 'bad') EXECUTE FUNCTION leave()
      """)
    let store = try database.store(writeLanes: 1)
    let results = await withTaskGroup(of: RepositoryError?.self) { tasks in
      for n in 0..<20 {
        tasks.addTask {
          await repositoryError { try await store.create(["a": n == 7 ? "bad" : "good"]) }
        }
      }
      return await tasks.reduce(into: []) { $0.append($1) }
    }
    #expect(results.filter { $0 == nil }.count == 19)
    guard case .unavailable(.unreachable) = results.compactMap(\.self).first else {
      Issue.record("not unreachable: \(results)")
      return
    }
    #expect(try database.number("SELECT count(*) FROM conversations") == 19)
    await store.close()
  }

  @Test func `a row that somebody holds is waited for, and then refused`() async throws {
    let store = try database.store()
    let id = try await store.create().id
    let person = try Person(database)
    try person.run("BEGIN", "SELECT 1 FROM conversations FOR UPDATE")
    let error = await repositoryError {
      _ = try await store.changeMetadata(of: id, in: .default, by: .replace(with: .empty))
      try await store.deleteConversation(id, in: .default)
    }
    #expect(error == .unavailable(.locked))
    try person.run("ROLLBACK")
    try await store.deleteConversation(id, in: .default)
    await store.close()
  }

  @Test func `a person's change at the same time is not lost`() async throws {
    let store = try database.store()
    let id = try await store.create(["a": "1", "b": "1"]).id
    let person = try Person(database)
    try person.run(
      "BEGIN", #"UPDATE conversations SET metadata = metadata || '{"a":"2","c":"3"}'"#)
    let merge = MetadataChange.merge(remove: ["b"], set: try metadata(["d": "4"]).pairs)
    async let changed = store.changeMetadata(of: id, in: .default, by: merge)
    try await Task.sleep(for: .milliseconds(100))
    try person.run("COMMIT")
    #expect(try await changed.metadata == metadata(["a": "2", "c": "3", "d": "4"]))
    #expect(try database.findings().isEmpty)
    await store.close()
  }

  @Test func `two programs in opposite order never see a deadlock`() async throws {
    let stores = try [database.store(writeLanes: 2), database.store(writeLanes: 2)]
    var ids: [ConversationID] = []
    for _ in 0..<8 { ids.append(try await stores[0].create().id) }
    let conversations = ids
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      for (index, store) in stores.enumerated() {
        for round in 0..<30 {
          for id in index == 0 ? conversations : conversations.reversed() {
            tasks.addTask {
              _ = try await store.changeMetadata(
                of: id, in: .default, by: .replace(with: metadata(["r": "\(round)"])))
            }
          }
        }
      }
      try await tasks.waitForAll()
    }
    #expect(try database.findings().isEmpty)
    for store in stores { await store.close() }
  }

  @Test func `an idempotency key counts once on all programs`() async throws {
    let stores = try [database.store(), database.store(), database.store()]
    let id = try await stores[0].create().id
    for round in 0..<10 {
      let key = IdempotencyKey("key-\(round)", request: [])!
      let answers = try await withThrowingTaskGroup(of: String.self) { tasks in
        for store in stores {
          tasks.addTask {
            try await store.createConversation(
              metadata: .empty, items: [], in: .default, once: key
            ) { $0.id.description }.text
          }
        }
        return try await tasks.reduce(into: Set()) { $0.insert($1) }
      }
      #expect(answers.count == 1)
      let added = try await withThrowingTaskGroup(of: Int.self) { tasks in
        for store in stores {
          tasks.addTask {
            let appended = try await store.appendItems(
              [item("msg_\(round)")], to: id, in: .default, once: key)
            return appended.isReplay ? 0 : 1
          }
        }
        return try await tasks.reduce(0, +)
      }
      #expect(added == 1)
    }
    #expect(try database.number("SELECT count(*) FROM conversations") == 11)
    #expect(try database.number("SELECT count(*) FROM items") == 10)
    #expect(try database.findings().isEmpty)
    for store in stores { await store.close() }
  }

  @Test func `a key that is too old counts as new`() async throws {
    let clock = Atomic<Int64>(1_800_000_000_000_000)
    let store = try database.store(clock: { clock.load(ordering: .relaxed) })
    let id = try await store.create().id
    let key = IdempotencyKey("k", request: [])!
    func create() async throws -> Bool {
      try await store.createConversation(metadata: .empty, items: [], in: .default, once: key) {
        $0.id.description
      }.isReplay
    }
    func append(_ item: AddedItem) async throws -> Bool {
      try await store.appendItems([item], to: id, in: .default, once: key).isReplay
    }
    #expect(try await [create(), append(item("msg_1"))] == [false, false])
    #expect(try await [create(), append(item("msg_1"))] == [true, true])
    clock.store(1_800_086_400_000_000, ordering: .relaxed)
    #expect(try await [create(), append(item("msg_2"))] == [false, false])
    #expect(try await [create(), append(item("msg_2"))] == [true, true])
    clock.store(1_800_172_801_000_000, ordering: .relaxed)
    try await store.forgetOldIdempotencyKeys()
    #expect(try database.number("SELECT count(*) FROM idempotency_keys") == 0)
    #expect(try database.number("SELECT count(*) FROM append_idempotency_keys") == 0)
    await store.close()
  }

  @Test func `what somebody has locked is forgotten the next time`() async throws {
    var shared = StoreSettings()
    shared.metadataHistoryDays = 1
    let store = try database.store(shared: shared)
    _ = try await store.create()
    try database.execute(
      """
      INSERT INTO metadata_history
      SELECT project, id, number, '{}', NULL, 'req_1' FROM conversations, generate_series(1, 250)
        AS number
      """)
    let person = try Person(database)
    try person.run("BEGIN", "SELECT 1 FROM metadata_history WHERE version > 120 FOR UPDATE")
    try await store.forgetOldMetadata()
    #expect(try database.number("SELECT count(*) FROM metadata_history") == 130)
    try person.run("ROLLBACK")
    try await store.forgetOldMetadata()
    #expect(try database.number("SELECT count(*) FROM metadata_history") == 0)
    await store.close()
  }

  @Test func `a revoked key ends with the request before, on every program`() async throws {
    let stores = try [database.store(), database.store()]
    for round in 0..<10 {
      let new = NewAPIKey(name: try APIKeyName("k"), rights: .readWrite, expiresAt: nil)
      let key = try await stores[round % 2].createAPIKey(new, in: .default).key
      let other = stores[(round + 1) % 2]
      #expect(try await other.look(LookUp(key: key.text)).result.get().access != nil)
      try await stores[round % 2].revokeAPIKey(named: "k", in: .default)
      #expect(try await other.look(LookUp(key: key.text)).result.get().access == nil)
    }
    for store in stores { await store.close() }
  }

  @Test func `two programs make keys at once`() async throws {
    let stores = try [database.store(), database.store()]
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      for n in 0..<10 {
        for (index, store) in stores.enumerated() {
          tasks.addTask {
            let name = try APIKeyName("key-\(index)-\(n)")
            let new = NewAPIKey(name: name, rights: .readOnly, expiresAt: nil)
            _ = try await store.createAPIKey(new, in: .default)
          }
        }
      }
      try await tasks.waitForAll()
    }
    #expect(try database.number("SELECT count(DISTINCT number) FROM api_keys") == 20)
    for store in stores { await store.close() }
  }

  @Test func `ids follow the answers, also when the clock goes back`() async throws {
    let clock = Atomic<Int64>(1_800_000_000_000_000)
    let stores = try (0..<2).map { _ in
      try database.store(clock: { clock.load(ordering: .relaxed) })
    }
    var ids: [ConversationID] = []
    for round in 0..<6 {
      // A new primary whose clock is an hour behind.
      if round == 3 { clock.store(1_799_996_400_000_000, ordering: .relaxed) }
      ids.append(try await stores[round % 2].create().id)
    }
    #expect(ids == ids.sorted() && Set(ids).count == 6)
    #expect(ids[5].createdAt < 1_800_000_060)
    for store in stores { await store.close() }
  }

  @Test func `a lane whose row is gone makes another`() async throws {
    let store = try database.store(writeLanes: 1)
    try await store.create()
    try database.execute("DELETE FROM lanes")
    try await store.create()
    #expect(try database.number("SELECT last_group FROM lanes") == 1)
    _ = await store.tidyUp()
    #expect(try database.number("SELECT count(*) FROM lanes") == 1)
    await store.close()
  }

  @Test func `a full queue refuses`() async throws {
    var shared = StoreSettings()
    shared.waitingWritesMax = 1
    let store = try database.store(writeLanes: 1, shared: shared)
    let id = try await store.create().id
    let person = try Person(database)
    try person.run("BEGIN", "SELECT 1 FROM conversations FOR UPDATE")
    async let first: Void = store.deleteConversation(id, in: .default)
    async let errors = withTaskGroup(of: RepositoryError?.self) { tasks in
      for _ in 0..<5 { tasks.addTask { await repositoryError { try await store.create() } } }
      return await tasks.reduce(into: []) { $0.append($1) }
    }
    try await Task.sleep(for: .milliseconds(300))
    try person.run("ROLLBACK")
    let refusals = await errors
    #expect(refusals.contains(.unavailable(.queueFull(writesMax: 1))))
    try? await first
    await store.close()
    #expect(await repositoryError { try await store.create() } == .unavailable(.closed))
  }
}
