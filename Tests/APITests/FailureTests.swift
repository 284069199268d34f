import Conversations
import Repository
import SQLite
import SQLiteStore
import TestSupport
import Testing

/// What a client is told when the storage fails.
@Suite struct FailureTests {
  @Test func `a lock that another process holds is a 503 that says nothing was stored`()
    async throws
  {
    let service = try Service(.inProcess, settings: .init(busyTimeoutMilliseconds: 10))
    let outsider = try Connection(
      path: service.databasePath, mode: .readWrite, busyTimeoutMilliseconds: 1000)
    try outsider.execute("BEGIN IMMEDIATE")

    for (method, target) in [("POST", "/v1/conversations"), ("GET", "/readyz")] {
      let answer = try await service.send(method, target)
      #expect(answer.status == 503)
      #expect(answer.headers["retry-after"] == "1")
      let error = try APIErrorBody(answer.body)
      #expect(error.type == "server_error")
      #expect(error.code == "unavailable")
      #expect(error.message.contains("another process"))
    }
    #expect(try await service.send("GET", "/healthz").status == 200)

    try outsider.execute("ROLLBACK")
    #expect(try await service.send("POST", "/v1/conversations").status == 200)
    #expect(try await service.send("GET", "/readyz").status == 200)
    #expect(try outsider.integer("SELECT count(*) FROM conversations") == 1)
  }

  @Test func `a repository that is closed is a 503`() async throws {
    let service = try Service(.inProcess)
    await service.repository.close()
    let answer = try await service.send("POST", "/v1/conversations")
    #expect(answer.status == 503)
    #expect(
      try APIErrorBody(answer.body).message == "The server is shutting down. Nothing was stored.")
  }

  @Test func `what SQLite refuses unforeseen is a 500 without internals`() async throws {
    let service = try Service(.inProcess)
    try Connection(path: service.databasePath, mode: .readWrite, busyTimeoutMilliseconds: 1000)
      .execute(
        """
        CREATE TRIGGER boom BEFORE INSERT ON conversations
        BEGIN SELECT RAISE(ABORT, 'internal words'); END
        """)
    let answer = try await service.send("POST", "/v1/conversations")
    #expect(answer.status == 500)
    #expect(answer.headers["x-should-retry"] == "false")
    let error = try APIErrorBody(answer.body)
    #expect(error.type == "server_error")
    #expect(error.code == nil)
    #expect(!error.message.contains("internal words"))
  }

  @Test func `a query that reaches its deadline is a 503 that is not repeated`() async throws {
    let service = try Service(.inProcess, settings: .init(queryTimeoutMilliseconds: 0))
    let answer = try await service.send("GET", "/v1/conversations?metadata[a]=1")
    #expect(answer.status == 503)
    #expect(answer.headers["x-should-retry"] == "false")
    #expect(answer.headers["retry-after"] == nil)
    let error = try APIErrorBody(answer.body)
    #expect(error.type == "server_error")
    #expect(error.code == "query_timeout")
    #expect(
      error.message
        == "The query took too long, or waited too long for others, and was ended. Narrow it: by a "
        + "pair or a key that fewer conversations have, or by a shorter range of 'created_at'.")
    #expect(try await service.send("POST", "/v1/conversations").status == 200)
  }

  @Test func `a row that cannot be shown is an error of its conversation alone`() async throws {
    let service = try Service(.inProcess)
    let set = try Metadata([Metadata.Pair(key: "a", value: "1")])
    let broken = try await service.repository.createConversation(metadata: set, in: .default)
    let sound = try await service.repository.createConversation(metadata: set, in: .default)
    try Connection(path: service.databasePath, mode: .readWrite, busyTimeoutMilliseconds: 1000)
      .execute("UPDATE metadata SET key = CAST(x'c3' AS TEXT) WHERE conversation = 1")

    let answer = try await service.send("GET", "/v1/conversations/\(broken.id)")
    #expect(answer.status == 500)
    #expect(answer.headers["x-should-retry"] == "false")
    #expect(try APIErrorBody(answer.body).message.contains(broken.id.description))
    #expect(try await service.send("GET", "/v1/conversations/\(sound.id)").status == 200)

    let update = try await service.send(
      "POST", "/v1/conversations/\(broken.id)", body: Array(#"{"metadata":{"b":"2"}}"#.utf8))
    #expect(update.status == 200)
    #expect(try await service.send("GET", "/v1/conversations/\(broken.id)").status == 200)
  }
}
