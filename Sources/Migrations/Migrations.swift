internal import Embedded

/// The migrations of both engines, in order, embedded in the binary.
///
/// A migration is one `NNNN_verb_noun.sql` in `migrations` for SQLite or in `migrations/postgresql`,
/// listed in `Sources/CEmbedded/files.c`. The numbers have no gaps, and a released file is never
/// edited: the next one changes the schema.
public enum Migrations {
  /// Each migration of SQLite's: its name and its SQL; the n-th one takes the database to
  /// `user_version` n.
  public static let all = migrations(in: "migrations/")

  /// Each migration of PostgreSQL's; the n-th one takes the schema to version n.
  public static let postgreSQL = migrations(in: "migrations/postgresql/")

  private static let suffix = ".sql"

  private static func migrations(in folder: String) -> [(name: String, sql: String)] {
    EmbeddedFile.all
      .filter { $0.path.hasPrefix(folder) && !$0.path.dropFirst(folder.count).contains("/") }
      .map { file in
        let name = file.path.dropFirst(folder.count).dropLast(suffix.count)
        return (String(name), String(decoding: file.bytes, as: UTF8.self))
      }
  }
}
