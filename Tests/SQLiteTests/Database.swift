import Foundation
import SQLite
import TestSupport

extension TemporaryFolder {
  /// Makes a file of these bytes. SQLite takes an empty file for an empty database.
  ///
  /// - Returns: Its path.
  func makeFile(named name: String = "test.db", _ bytes: [UInt8] = []) -> String {
    let path = file(name)
    precondition(FileManager.default.createFile(atPath: path, contents: Data(bytes)))
    return path
  }

  /// Makes a database with this SQL.
  ///
  /// - Returns: Its path.
  func makeDatabase(_ sql: String, named name: String = "test.db") throws -> String {
    let path = makeFile(named: name)
    try open(path).execute(sql)
    return path
  }

  /// The files in it and their bytes.
  var contents: [String: [UInt8]] {
    var contents: [String: [UInt8]] = [:]
    for name in FileManager.default.subpaths(atPath: path) ?? [] {
      contents[name] = FileManager.default.contents(atPath: file(name)).map { Array($0) }
    }
    return contents
  }
}

/// Opens a database that does not wait for the locks of others.
func open(
  _ path: String, _ mode: Connection.Mode = .readWrite, busyTimeoutMilliseconds: Int = 0
) throws(SQLiteError) -> Connection {
  try Connection(path: path, mode: mode, busyTimeoutMilliseconds: busyTimeoutMilliseconds)
}

/// The error that a piece of work ends with, and nil when it does not.
func error(_ work: () throws(SQLiteError) -> Void) -> SQLiteError? {
  do {
    try work()
    return nil
  } catch {
    return error
  }
}

extension Connection {
  /// The error that statements end with, and nil when they do not.
  func error(executing sql: String) -> SQLiteError? {
    do {
      try execute(sql)
      return nil
    } catch {
      return error
    }
  }

  /// All rows that a statement answers, columns of a row joined by `|`.
  func rows(_ sql: String, columnCount: Int32 = 1) throws(SQLiteError) -> [String] {
    let statement = try prepare(sql)
    var rows: [String] = []
    while try statement.step() {
      rows.append((0..<columnCount).map { statement.repairedText($0) }.joined(separator: "|"))
    }
    return rows
  }
}
