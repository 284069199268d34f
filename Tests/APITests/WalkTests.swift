import SQLiteStore
import Synchronization
import TestSupport
import Testing

/// A walk through all pages while others create, update and delete (contract, section 6).
@Suite struct WalkTests {
  private static let changersCount = 3
  private static let changesPerChanger = 250

  /// Every change touches the pairs too, but leaves `kept` as it is, so a walk by that pair must
  /// see the same conversations as one through all.
  @Test(arguments: ["", "&metadata[kept]=1", "&metadata_exists[]=kept&metadata_absent[]=never"])
  func `a walk sees every conversation that exists all the while exactly once`(
    filter: String
  ) async throws {
    let service = try Service(.inProcess, settings: .init(synchronous: .normal))
    let living = LivingConversations(changers: Self.changersCount)
    for _ in 0..<60 { living.add(try await Self.create(service)) }

    try await withThrowingTaskGroup { group in
      for seed in 0..<Self.changersCount {
        group.addTask {
          defer { living.changersLeft.subtract(1, ordering: .relaxed) }
          try await Self.change(service, living, seed: UInt64(seed))
        }
      }
      for order in ["asc", "desc"] {
        for cursor in ["after", "before"] {
          group.addTask {
            // At least once, and as long as anything changes.
            repeat {
              try await Self.walk(service, living, "order=\(order)\(filter)", by: cursor)
            } while living.changersLeft.load(ordering: .relaxed) > 0
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(living.deletedCount > 100)
  }

  private static func create(_ service: Service) async throws -> String {
    try await service.create(#"{"metadata":{"kept":"1","n":"0"}}"#).id
  }

  /// Creates, updates, patches and deletes at random.
  private static func change(
    _ service: Service, _ living: LivingConversations, seed: UInt64
  ) async throws {
    var generator = SeededGenerator(seed: seed)
    for number in 0..<changesPerChanger {
      let choice = Int.random(in: 0..<5, using: &generator)
      guard choice > 1, let id = living.random(using: &generator, removing: choice > 2) else {
        living.add(try await create(service))
        continue
      }
      let path = "/v1/conversations/\(id)"
      if choice > 2 {
        #expect(try await service.send("DELETE", path).status == 200)
      } else {
        // 404 when another one has deleted it meanwhile.
        let update = #"{"metadata":{"kept":"1","n":"\#(number)"}}"#
        let patch = #"{"metadata":{"n":null,"m":"\#(number)"}}"#
        let isPatch = number.isMultiple(of: 2)
        let status = try await service.send(
          isPatch ? "PATCH" : "POST", path, json: isPatch ? patch : update
        ).status
        #expect([200, 404].contains(status))
      }
    }
  }

  /// Walks from the beginning by `after`, or from the end by `before`.
  private static func walk(
    _ service: Service, _ living: LivingConversations, _ query: String, by cursor: String
  ) async throws {
    let isAscending = query.hasPrefix("order=asc")
    // `before` needs a place to start from, which is beyond the end of the order.
    let digit = isAscending ? "f" : "0"
    var place = cursor == "before" ? "conv_" + String(repeating: digit, count: 48) : nil
    var seen: [String] = []
    let atStart = living.all
    while true {
      let parameter = place.map { "&\(cursor)=\($0)" } ?? ""
      let answer = try await service.send(
        "GET", "/v1/conversations?limit=7&\(query)\(parameter)")
      try #require(answer.status == 200)
      let ids = answer.body.matches(of: /"id":"(conv_[0-9a-f]{48})"/).map { String($0.output.1) }
      seen = cursor == "after" ? seen + ids : ids + seen
      guard answer.body.contains(#""has_more":true"#) else { break }
      place = try #require(cursor == "after" ? ids.last : ids.first)
    }
    let allTheWhile = atStart.intersection(living.all)
    #expect(allTheWhile.subtracting(seen).isEmpty, "\(query) by \(cursor)")
    let sorted = isAscending ? Set(seen).sorted() : Set(seen).sorted(by: >)
    #expect(seen == sorted, "each once and in order: \(query) by \(cursor)")
  }
}

/// The ids that surely exist: from the answer to their creation to the request of their deletion.
private final class LivingConversations: Sendable {
  /// How many tasks still change them.
  let changersLeft: Atomic<Int>
  private let state = Mutex<(ids: Set<String>, deletedCount: Int)>(([], 0))

  init(changers: Int) {
    changersLeft = Atomic(changers)
  }

  var all: Set<String> { state.withLock { $0.ids } }

  var deletedCount: Int { state.withLock { $0.deletedCount } }

  func add(_ id: String) {
    state.withLock { _ = $0.ids.insert(id) }
  }

  func random(using generator: inout SeededGenerator, removing: Bool) -> String? {
    let place = Int.random(in: 0..<1_000_000, using: &generator)
    return state.withLock { state in
      guard !state.ids.isEmpty else { return nil }
      let id = state.ids.sorted()[place % state.ids.count]
      if removing {
        state.ids.remove(id)
        state.deletedCount += 1
      }
      return id
    }
  }
}
