import Foundation
import TestSupport
import Testing

@testable import PostgreSQL

@Suite struct ConnectionTests {
  @Test func `values of every type go there and back`() throws {
    var connection = try Server().connect()
    let bytes: [UInt8] = [0, 255, 0]
    let rows = try connection.run(
      """
      SELECT $1::bigint, $2::bigint, $3::integer, $4::boolean, $5::text, $6::text, $7::bytea,
        $8::bytea, (-7)::smallint
      """
    ) { parameters in
      parameters.add(Int64.min)
      parameters.add(nil as Int64?)
      parameters.add(int32: -5)
      parameters.add(true)
      parameters.add("e\u{301} 🐘 ''\\")
      parameters.add("")
      parameters.add(bytes)
      parameters.add(nil as [UInt8]?)
    }
    #expect(rows.count == 1)
    #expect(rows.int64(0, 0) == .min && rows.isNull(0, 1) && rows.int64(0, 2) == -5)
    #expect(rows.bool(0, 3) && rows.text(0, 4).utf8.elementsEqual("e\u{301} 🐘 ''\\".utf8))
    #expect(!rows.isNull(0, 5) && rows.text(0, 5).isEmpty)
    #expect(rows.bytes(0, 6) == bytes && rows.isNull(0, 7) && rows.int64(0, 8) == -7)
    #expect(rows.withBytes(0, 6) { $0.count } == 3)
  }

  @Test func `arrays are rows of a statement`() throws {
    var connection = try Server().connect()
    let rows = try connection.run(
      """
      SELECT number, small, text, bytes, json::text, jsonb::text
      FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::bytea[], $5::json[], $6::jsonb[])
        AS w (number, small, text, bytes, json, jsonb)
      """
    ) { parameters in
      parameters.add(int64s: [1, -2])
      parameters.add(int32s: [3, 4])
      parameters.add(texts: ["a", nil])
      parameters.add(byteas: [nil, [1, 2]])
      parameters.add(jsons: [Array(#"{"b":1.0, "a":2}"#.utf8), Array("[]".utf8)])
      parameters.add(jsonbs: [Array(#"{"b":"1","a":"2"}"#.utf8), Array("{}".utf8)])
    }
    #expect(rows.count == 2)
    #expect(rows.int64(0, 0) == 1 && rows.int64(1, 0) == -2 && rows.int64(1, 1) == 4)
    #expect(rows.text(0, 2) == "a" && rows.isNull(1, 2))
    #expect(rows.isNull(0, 3) && rows.bytes(1, 3) == [1, 2])
    #expect(rows.text(0, 4) == #"{"b":1.0, "a":2}"#)
    #expect(rows.text(0, 5) == #"{"a": "2", "b": "1"}"#)
    let none = try connection.run("SELECT * FROM unnest($1::text[]) AS w (text)") {
      $0.add(texts: [])
    }
    #expect(none.count == 0)
  }

  @Test func `prepared statements run many to a round trip`() throws {
    var connection = try Server().connect()
    try connection.execute("CREATE TABLE t (n bigint PRIMARY KEY); INSERT INTO t VALUES (1)")
    let insert = Statement("insert", "INSERT INTO t VALUES ($1)")
    let count = Statement("count", "SELECT count(*) FROM t")
    try connection.prepare([insert, count])
    let results = try connection.run(
      (2...500).map { n in insert.call { $0.add(Int64(n)) } } + [count.call()],
      within: .seconds(10))
    #expect(results.count == 500)
    #expect(results[0].command == "INSERT 0 1")
    #expect(results[499].int64(0, 0) == 500)
  }

  @Test func `large values do not stand in each other's way`() throws {
    var connection = try Server().connect()
    let large = String(repeating: "x", count: 5 << 20)
    let calls = (0..<4).map { _ in Call.once("SELECT $1::text") { $0.add(large) } }
    let results = try connection.run(calls, within: .seconds(60))
    #expect(results.allSatisfy { $0.text(0, 0).utf8.count == 5 << 20 })
  }

  @Test func `the first error is told, and what follows is not run`() throws {
    var connection = try Server().connect()
    try connection.execute("CREATE TABLE t (n bigint PRIMARY KEY CHECK (n > 0))")
    let refusal = error {
      _ = try connection.run(
        [
          .once("INSERT INTO t VALUES (1)"), .once("INSERT INTO t VALUES (-1)"),
          .once("INSERT INTO t VALUES (2)"),
        ], within: .seconds(10))
    }
    #expect(refusal?.sqlState == "23514" && refusal?.kind == .constraint)
    #expect(refusal?.constraint == "t_n_check")
    #expect(try connection.run("SELECT count(*) FROM t").int64(0, 0) == 0)
  }

  @Test func `an explicit transaction outlives an error until it is ended`() throws {
    var connection = try Server().connect()
    try connection.execute("CREATE TABLE t (n bigint)")
    _ = try connection.run(
      [.once("BEGIN"), .once("INSERT INTO t VALUES (1)")], within: .seconds(10))
    let refusal = error { _ = try connection.run("SELECT 1 / 0") }
    #expect(refusal?.sqlState == "22012")
    #expect(error { _ = try connection.run("SELECT 1") }?.sqlState == "25P02")
    #expect(try connection.run("COMMIT").command == "ROLLBACK")
    #expect(try connection.run("SELECT count(*) FROM t").int64(0, 0) == 0)
  }

  @Test func `a script and statements take turns`() throws {
    var connection = try Server().connect()
    _ = try connection.run("SELECT 1")
    try connection.execute("CREATE TABLE t (n bigint); INSERT INTO t VALUES (1), (2)")
    #expect(try connection.run("SELECT count(*) FROM t").int64(0, 0) == 2)
    #expect(error { try connection.execute("SELECT 1; SELECT nothing") }?.sqlState == "42703")
    #expect(try connection.run("SELECT 1").int64(0, 0) == 1)
  }

  @Test func `a value is in no error`() throws {
    var connection = try Server().connect()
    try connection.execute("CREATE TABLE t (secret text PRIMARY KEY CHECK (length(secret) < 9))")
    for value in ["s3cret", "s3cret", "s3cret and long"] {
      let refusal = error {
        _ = try connection.run("INSERT INTO t VALUES ($1)") { $0.add(value) }
      }
      #expect(refusal.map { !"\($0)".contains("s3cret") } ?? true)
    }
  }

  @Test func `a warning comes with its result`() throws {
    var connection = try Server().connect()
    let results = try connection.run(
      [.once("SELECT 1"), .once("ROLLBACK"), .once("SELECT 2")], within: .seconds(10))
    // There is no transaction to roll back, PostgreSQL warns.
    #expect(results.map(\.hasWarning) == [false, true, false])
  }

  @Test func `an ended session is a lost connection`() throws {
    let server = try Server()
    var connection = try server.connect()
    let number = try connection.run("SELECT pg_backend_pid()").int64(0, 0)
    try server.cluster.execute("SELECT pg_terminate_backend(\(number), 5000)")
    let refusal = error { _ = try connection.run("SELECT 1") }
    #expect(refusal?.kind == .connection && refusal?.isConnectionLost == true)
    #expect(error { _ = try connection.run("SELECT 1") }?.kind == .connection)
  }

  @Test func `a server that does not answer is a lost connection`() throws {
    var connection = try Server().connect()
    let refusal = error {
      _ = try connection.run([.once("SELECT pg_sleep(60)")], within: .milliseconds(50))
    }
    #expect(refusal?.kind == .connection && refusal?.isConnectionLost == true)
  }

  @Test func `a server that is not reachable is a lost connection`() throws {
    let url = try DatabaseURL("postgresql:///postgres?host=/nowhere")
    #expect(error { _ = try Connection(url) }?.kind == .connection)
  }

  @Test(arguments: [
    ("40001", PostgreSQLError.Kind.conflict), ("40P01", .conflict), ("23505", .duplicate),
    ("42P07", .duplicate), ("42710", .duplicate),
    ("23514", .constraint), ("P0001", .constraint), ("55P03", .lockTimeout), ("57014", .cancelled),
    ("53100", .full), ("53200", .memory), ("57P01", .connection), ("57P03", .connection),
    ("08006", .connection), ("25006", .readOnly), ("42P01", .missing), ("22012", .other),
  ])
  func `the kind comes from the SQLSTATE`(state: String, kind: PostgreSQLError.Kind) throws {
    var connection = try Connection(PostgreSQLCluster.shared.get().databaseURL())
    let refusal = error {
      _ = try connection.run(
        "DO $$ BEGIN RAISE EXCEPTION 'words' USING ERRCODE = '\(state)'; END $$")
    }
    #expect(refusal?.sqlState == state && refusal?.kind == kind)
  }

  @Test func `a standby is not connected to`() throws {
    let server = try Server()
    var connection = try server.connect()
    let name = try connection.run("SELECT current_database()").text(0, 0)
    try server.cluster.execute("ALTER DATABASE \(name) SET default_transaction_read_only = on")
    #expect(error { _ = try server.connect() }?.kind == .connection)
  }
}
