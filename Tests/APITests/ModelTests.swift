import Repository
import SQLiteStore
import TestSupport
import Testing

/// Random requests are answered as a plain model in memory answers them.
@Suite struct ModelTests {
  private static let operationsPerSeed = 1000

  @Test(arguments: [1, 2, 3, 5, 8, 13] as [UInt64], Engine.allCases)
  func `a random sequence of requests is answered as the model answers it`(
    seed: UInt64, engine: Engine
  ) async throws {
    var run = try Run(seed: seed, on: engine)
    for _ in 0..<Self.operationsPerSeed { try await run.step() }
    // The sequence has met what it is there to meet.
    for expected in [200, 304, 400, 404, 412, 422] {
      #expect(run.statuses[expected, default: 0] > 0)
    }
    #expect(run.replays > 0)
    #expect(run.fullPages > 0)
  }
}

/// One sequence on one service.
private struct Run {
  private(set) var statuses: [Int: Int] = [:]
  private(set) var replays = 0
  /// Pages after which there is more.
  private(set) var fullPages = 0
  private let seed: UInt64
  private let clock = TestClock()
  private let service: Service
  private var random: RandomOperations
  private var model = Model()
  private var count = 0

  init(seed: UInt64, on engine: Engine) throws {
    self.seed = seed
    random = RandomOperations(seed: seed)
    service = try Service(
      .inProcess, on: engine,
      settings: .init(
        synchronous: .normal, idempotencySeconds: Int(Model.idempotencySeconds)),
      now: { [clock] in clock.seconds })
  }

  mutating func step() async throws {
    clock.seconds += random.secondsPassed()
    if random.isOneIn(50) {
      try await service.repository.forgetOldIdempotencyKeys()
      model.forgetOldKeys(now: clock.seconds)
    }
    if random.isOneIn(40) {
      try await walk(random.query(on: model))
    } else {
      try await perform(random.operation(on: model))
    }
  }

  /// Asks for page after page.
  private mutating func walk(_ start: Query) async throws {
    var query = start
    let isBackwards = query.before != nil && query.after == nil
    let name = isBackwards ? "before" : "after"
    var answer = try await perform(.list(query))
    while answer.hasMore {
      let cursor = try #require(isBackwards ? answer.firstID : answer.lastID)
      query.parameters.removeAll { $0.hasPrefix("\(name)=") }
      query.parameters.append("\(name)=\(cursor)")
      if isBackwards { query.before = cursor } else { query.after = cursor }
      answer = try await perform(.list(query))
    }
  }

  @discardableResult
  private mutating func perform(_ operation: Operation) async throws -> Service.Answer {
    count += 1
    let request = operation.request
    let answer = try await service.send(
      request.method, request.target, headers: request.headers, json: request.json)
    let (expected, content) = model.answer(operation, now: clock.seconds, newID: answer.id)
    statuses[answer.status, default: 0] += 1
    if expected.isReplay { replays += 1 }
    if answer.hasMore { fullPages += 1 }

    let place = Comment(
      rawValue: "seed \(seed), request \(count), clock \(clock.seconds): \(request)")
    // What follows a difference differs too: it is not worth reading.
    try #require(answer.outcome.matches(expected), place)
    if let content {
      let isRight = model.learn(answer.eTag, of: content)
      try #require(isRight, place)
    } else {
      try #require(answer.headers["etag"] == nil, place)
    }
    return answer
  }
}

extension Model.Outcome {
  /// The same bytes: to Swift's `==` two spellings of é are one.
  fileprivate func matches(_ other: Model.Outcome) -> Bool {
    self == other && body.utf8.elementsEqual(other.body.utf8)
  }
}

extension Service.Answer {
  fileprivate var outcome: Model.Outcome {
    Model.Outcome(
      status: status, body: status < 400 ? body : errorCode ?? "",
      isReplay: headers["idempotent-replayed"] == "true")
  }

  fileprivate var hasMore: Bool { body.contains(#""has_more":true,"last_id":"#) }
  fileprivate var firstID: String? { idAfter(#""first_id":""#) }
  fileprivate var lastID: String? { idAfter(#""last_id":""#) }

  private func idAfter(_ member: String) -> String? {
    body.ranges(of: member).last.map { String(body[$0.upperBound...].prefix(53)) }
  }
}
