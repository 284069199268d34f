import Testing

/// A patch loses nobody's keys (contract, section 7); the rows of single requests are
/// `APICase.patches`.
@Suite struct PatchTests {
  @Test(arguments: Service.Transport.allCases)
  func `8 clients that each add one key leave 8 of 8 keys, 10 times`(
    transport: Service.Transport
  ) async throws {
    let service = try Service(transport)
    for round in 0..<10 {
      let path = try await service.create(#"{"metadata":{"first":"1"}}"#).path
      let statuses = try await patches(8, of: path, service) {
        #"{"metadata":{"client-\#($0)":"\#(round)"}}"#
      }
      #expect(statuses == Array(repeating: 200, count: 8))
      let pairs = (0..<8).map { #""client-\#($0)":"\#(round)""# } + [#""first":"1""#]
      let expected = #""metadata":{\#(pairs.joined(separator: ","))}}"#
      #expect(try await service.send("GET", path).body.hasSuffix(expected))
    }
    await service.stop()
  }

  @Test func `clients that remove and add at once never break the limit, nor lose room`()
    async throws
  {
    let service = try Service(.inProcess)
    let path = try await service.create().path
    let statuses = try await patches(20, of: path, service) { #"{"metadata":{"\#($0)":""}}"# }
    #expect(statuses.count { $0 == 200 } == 16)
    #expect(statuses.count { $0 == 400 } == 4)

    let stored = try await service.send("GET", path).body
    let keys = (0..<20).filter { stored.contains(#""\#($0)":"#) }
    try #require(keys.count == 16)
    // Each takes one key away and puts one in its place.
    let exchanges = try await patches(16, of: path, service) {
      #"{"metadata":{"\#(keys[$0])":null,"x\#($0)":""}}"#
    }
    #expect(exchanges == Array(repeating: 200, count: 16))
    let pairs = (0..<16).map { #""x\#($0)":"""# }.sorted().joined(separator: ",")
    #expect(try await service.send("GET", path).body.hasSuffix(#""metadata":{\#(pairs)}}"#))
  }

  /// Sends a patch from each client at the same time.
  private func patches(
    _ clients: Int, of path: String, _ service: Service,
    json: @escaping @Sendable (Int) -> String
  ) async throws -> [Int] {
    try await withThrowingTaskGroup { group in
      for client in 0..<clients {
        group.addTask { try await service.send("PATCH", path, json: json(client)).status }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
  }
}
