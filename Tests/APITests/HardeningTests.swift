import API
import Testing

/// What every answer says to browsers and caches, and what none says about the server.
@Suite struct HardeningTests {
  private static let settings = API.Settings(
    requestsPerMinuteMax: AnswerKind.requestsPerMinuteMax)

  @Test(arguments: AnswerKind.all, Service.Transport.allCases)
  func `no answer is kept, or taken for a page`(
    kind: AnswerKind, transport: Service.Transport
  ) async throws {
    let service = try Service(transport, apiSettings: Self.settings)
    let answer = try await kind.provoke(service)
    #expect(answer.headers["x-content-type-options"] == "nosniff")
    #expect(answer.headers["cache-control"] == "no-store")
    await service.stop()
  }

  @Test(arguments: AnswerKind.all)
  func `no answer names the server or its version`(kind: AnswerKind) async throws {
    let service = try Service(.socket, apiSettings: Self.settings)
    let answer = try await kind.provoke(service)
    #expect(answer.headers["server"] == nil)
    #expect(answer.headers["via"] == nil)
    #expect(answer.headers["x-powered-by"] == nil)
    // Both are there to say what runs, the metrics to whom the operator lets read them.
    let mayTell = ["the description", "metrics"].contains(kind.name)
    let said = "\(answer.headers) \(mayTell ? "" : answer.body)"
    for word in ["microhttpd", "sqlite", "conversationd/", "internal words"] {
      #expect(!said.lowercased().contains(word))
    }
    await service.stop()
  }

  @Test(arguments: AnswerKind.all)
  func `without a list of origins no answer is for other origins`(kind: AnswerKind) async throws {
    let service = try Service(.inProcess, apiSettings: Self.settings)
    let answer = try await kind.provoke(service)
    #expect(answer.headers["vary"] == nil)
    #expect(!answer.headers.keys.contains { $0.hasPrefix("access-control-") })
  }
}
