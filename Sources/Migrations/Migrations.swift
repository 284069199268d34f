internal import Embedded

/// The migrations of the database, in order, embedded in the binary.
///
/// A migration is one `migrations/NNNN_verb_noun.sql`, listed in `Sources/CEmbedded/files.c`. The
/// numbers have no gaps, and a released file is never edited: the next one changes the schema.
public enum Migrations {
  /// Each migration's name and its SQL; the n-th one takes the database to `user_version` n.
  public static let all: [(name: String, sql: String)] = EmbeddedFile.all
    .filter { $0.path.hasPrefix(folder) }
    .map { file in
      let name = file.path.dropFirst(folder.count).dropLast(suffix.count)
      return (String(name), String(decoding: file.bytes, as: UTF8.self))
    }

  private static let folder = "migrations/"
  private static let suffix = ".sql"
}
