import SQLite
import TestSupport

/// Migrations as a program has them, of three versions.
enum Migrations {
  static let applicationID: Int32 = 0x7465_7374

  static let all = [
    ("0001_create_parents", "CREATE TABLE parents (number INTEGER PRIMARY KEY, name TEXT) STRICT"),
    (
      "0002_create_children",
      """
      CREATE TABLE children (
        number INTEGER PRIMARY KEY, parent INTEGER NOT NULL REFERENCES parents (number)) STRICT;
      INSERT INTO parents VALUES (1, 'one; two');
      INSERT INTO children VALUES (10, 1), (11, 1);
      """
    ),
    ("0003_add_parent", "-- With a comment.\nINSERT INTO parents VALUES (3, 'three'); -- end"),
  ]
  static let names = all.map(\.0)

  static let migrator = migrator(of: all)

  /// A program that knows these.
  static func migrator(of migrations: [(String, String)]) -> Migrator {
    Migrator(
      applicationID: applicationID, migrations: migrations.map { (name: $0.0, sql: $0.1) })
  }

  /// A program that knows the first `count` of all, and then another.
  static func migrator(upTo count: Int, then sql: String) -> Migrator {
    migrator(of: all.prefix(count) + [("\(count + 1)_another", sql)])
  }
}

/// The error that a migration ends with, and nil when it does not.
func migrationError(_ work: () throws(MigrationError) -> Void) -> MigrationError? {
  do {
    try work()
    return nil
  } catch {
    return error
  }
}

extension Migrator {
  /// The error that migrating ends with, and nil when it does not.
  func error(migrating connection: borrowing Connection) -> MigrationError? {
    do {
      _ = try migrate(connection)
      return nil
    } catch {
      return error
    }
  }

  /// The error that reading the state ends with, and nil when it does not.
  func error(readingStateOf connection: borrowing Connection) -> MigrationError? {
    do {
      _ = try state(of: connection)
      return nil
    } catch {
      return error
    }
  }
}

extension Connection {
  /// Everything in the database that a migration can change.
  func summary() throws(SQLiteError) -> [String] {
    [
      "\(try integer("PRAGMA application_id"))", "\(try integer("PRAGMA user_version"))",
      try rows("SELECT coalesce(sql, '') FROM sqlite_schema ORDER BY name").joined(separator: ";"),
    ]
  }
}
