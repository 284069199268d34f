import SQLite
import TestSupport
import Testing

@Suite struct StatementWorkTests {
  private let folder = TemporaryFolder()

  /// A table of 1,000 rows, numbered from 1, with an index on one of its two other columns.
  private func makeTable() throws -> Connection {
    try open(
      folder.makeDatabase(
        """
        CREATE TABLE t (number INTEGER PRIMARY KEY, indexed INTEGER, bare INTEGER) STRICT;
        CREATE INDEX t_by_indexed ON t (indexed);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
        INSERT INTO t SELECT i, i, i FROM n;
        """))
  }

  private func run(_ connection: borrowing Connection, _ sql: String) throws -> StatementWork {
    let statement = try connection.prepare(sql)
    try statement.run()
    return statement.work
  }

  @Test func `a statement that has not run has done nothing`() throws {
    let statement = try makeTable().prepare("SELECT * FROM t")
    #expect(statement.work == StatementWork())
  }

  @Test func `a walk through a table counts each step`() throws {
    let connection = try makeTable()
    let scan = try run(connection, "SELECT * FROM t WHERE bare = 500")
    #expect(scan.fullScanSteps == 999)
    #expect(scan.sorts == 0)
    #expect(scan.instructions > 1000)
    let search = try run(connection, "SELECT * FROM t WHERE indexed = 500")
    #expect(search.fullScanSteps == 0)
    #expect((1...50).contains(search.instructions))
  }

  @Test func `a sort is counted, and an order that an index has is none`() throws {
    let connection = try makeTable()
    #expect(try run(connection, "SELECT bare FROM t ORDER BY bare").sorts == 1)
    #expect(try run(connection, "SELECT indexed FROM t ORDER BY indexed").sorts == 0)
  }

  @Test func `the rows of an index made for one run are counted`() throws {
    let connection = try makeTable()
    let join = try run(
      connection, "SELECT count(*) FROM t AS a CROSS JOIN t AS b ON b.bare = a.bare")
    // Counted, like the steps of a walk, where one row is left for the next.
    #expect(join.automaticIndexRows == 999)
  }

  @Test func `work adds up over runs, and so do two statements`() throws {
    let connection = try makeTable()
    let select = try connection.prepare("SELECT * FROM t WHERE indexed >= :from")
    select.bind(":from", 991)
    try select.run()
    let once = select.work
    #expect(once.runs == 1)
    try select.run()
    let twice = select.work
    #expect(twice.runs == 2)
    #expect(twice.instructions == 2 * once.instructions)
    #expect(once + once == twice)

    let scan = try run(connection, "SELECT * FROM t ORDER BY bare")
    let sum = scan + twice
    #expect(sum.fullScanSteps == scan.fullScanSteps)
    #expect(sum.sorts == 1)
    #expect(sum.automaticIndexRows == 0)
    #expect(sum.instructions == scan.instructions + twice.instructions)
    #expect(sum.runs == 3)
    #expect(scan + StatementWork() == scan)
  }
}
