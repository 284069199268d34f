import Conversations
import Repository
import SQLiteStore
import TestSupport
import Testing

/// What a client is told when the disk fails, and that the service comes back by itself.
@Suite(.timeLimit(.minutes(1))) struct StorageFaultTests {
  private let folder = TemporaryFolder()
  private let disk: FaultyDisk

  init() {
    disk = FaultyDisk(under: folder.file("conversations.db"))
  }

  private func service(_ transport: Service.Transport) throws -> Service {
    try Service(transport, folder: folder)
  }

  private func expectError(
    _ answer: Service.Answer, _ status: Int, _ code: String?, _ words: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    #expect(answer.status == status, sourceLocation: sourceLocation)
    let error = try APIErrorBody(answer.body)
    #expect(error.type == "server_error", sourceLocation: sourceLocation)
    #expect(error.code == code, sourceLocation: sourceLocation)
    #expect(error.message.contains(words), "\(error.message)", sourceLocation: sourceLocation)
    let isRepeatable = status == 503
    #expect(
      answer.headers["retry-after"] == (isRepeatable ? "1" : nil), sourceLocation: sourceLocation)
    #expect(
      answer.headers["x-should-retry"] == (isRepeatable ? nil : "false"),
      sourceLocation: sourceLocation)
  }

  @Test(arguments: Service.Transport.allCases)
  func `a full disk refuses writes, reads go on, and space brings writes back`(
    transport: Service.Transport
  ) async throws {
    let service = try service(transport)
    let first = try await service.create(#"{"metadata":{"a":"1"}}"#)
    disk.fail(.write, .truncate, at: 1, isFull: true, staysBroken: true)
    for (method, target) in [
      ("POST", "/v1/conversations"), ("POST", first.path), ("PATCH", first.path),
      ("DELETE", first.path),
    ] {
      let json = method == "DELETE" ? "" : #"{"metadata":{"a":"2"}}"#
      try expectError(
        try await service.send(method, target, json: json), 503, "storage_full",
        "The server's disk is full. Nothing was stored.")
    }
    #expect(try await service.send("GET", first.path).body == first.body)
    #expect(try await service.send("GET", "/v1/conversations?metadata[a]=1").ids == [first.id])
    #expect(try await service.send("GET", "/healthz").status == 200)
    try expectError(try await service.send("GET", "/readyz"), 503, "storage_full", "Not ready")

    disk.heal()
    let second = try await service.create(#"{"metadata":{"a":"1"}}"#)
    #expect(try await service.send("GET", "/readyz").status == 200)
    #expect(
      try await service.send("GET", "/v1/conversations?metadata[a]=1").ids
        == [second.id, first.id])
    await service.stop()
  }

  /// Nobody writes, so only a probe can tell.
  @Test func `readiness comes back by itself`() async throws {
    let service = try service(.inProcess)
    disk.fail(.write, at: 1, isFull: true, staysBroken: true)
    #expect(try await service.send("POST", "/v1/conversations", json: "{}").status == 503)
    #expect(try await service.send("GET", "/readyz").status == 503)
    disk.heal()
    var status = 0
    let deadline = ContinuousClock.now + .seconds(30)
    while status != 200, .now < deadline {
      try await Task.sleep(for: .milliseconds(20))
      status = try await service.send("GET", "/readyz").status
    }
    #expect(status == 200)
    await service.stop()
  }

  @Test(arguments: Service.Transport.allCases)
  func `a sync that fails is an unknown commit, and no further write is taken`(
    transport: Service.Transport
  ) async throws {
    let service = try service(transport)
    let first = try await service.create(#"{"metadata":{"a":"1"}}"#)
    disk.fail(.sync, at: 1)
    try expectError(
      try await service.send("POST", first.path, json: #"{"metadata":{"a":"2"}}"#), 500,
      "commit_unknown", "Whether it is stored is not known")
    try expectError(
      try await service.send("POST", "/v1/conversations"), 503, "unavailable",
      "Nothing was stored.")
    #expect(service.repository.isStopped)
    #expect(try await service.send("GET", first.path).status == 200)
    #expect(try await service.send("GET", "/readyz").status == 503)
    await service.stop()
  }

  @Test func `a read error while a request is written refuses it, and the next one is stored`()
    async throws
  {
    let service = try service(.inProcess)
    disk.fail(.read, at: 1)
    try expectError(
      try await service.send("POST", "/v1/conversations"), 503, "unavailable",
      "The server's disk reported an error. Nothing was stored.")
    #expect(try await service.create().status == 200)
    await service.stop()
  }

  /// What is not read is not "not there": no 404, no empty list, no 401.
  @Test(arguments: [.open, .read, .access, .fileSize, .shmMap, .shmLock] as [FaultyDisk.Call])
  func `a read that fails is a 503, whatever was read`(call: FaultyDisk.Call) async throws {
    let service = try service(.inProcess)
    let key = try service.makeKey()
    let made = try await service.send("POST", "/v1/conversations", key: key, json: "{}")
    await service.stop()
    let requests = [made.path, "/v1/conversations", "/v1/conversations?metadata_absent[]=a"]
    for target in requests {
      var number = 0
      var hasFailed = true
      while hasFailed {
        number += 1
        // A fresh process reads everything anew.
        let fresh = try self.service(.inProcess)
        disk.fail(call, at: number, staysBroken: number.isMultiple(of: 2))
        let answer = try await fresh.send("GET", target, key: key)
        hasFailed = disk.faultCount > 0
        disk.heal()
        if answer.status != 200 {
          #expect(hasFailed)
          try expectError(answer, 503, "unavailable", "The server's disk reported an error.")
        }
        let again = try await fresh.send("GET", target, key: key)
        #expect(again.status == 200)
        #expect(again.ids == [made.id])
        await fresh.stop()
      }
      #expect(number > 1, "the call is never made")
    }
  }
}
