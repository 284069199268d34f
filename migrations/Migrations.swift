/// The migrations of the database, in order, embedded in the binary.
///
/// A migration is one `NNNN_verb_noun.sql` beside this file, listed here and in `Package.swift`.
/// The numbers have no gaps, and a released file is never edited: the next one changes the schema.
public enum Migrations {
  /// Each migration's name and its SQL; the n-th one takes the database to `user_version` n.
  public static let all: [(name: String, sql: String)] = [
    ("0001_create_conversations", text(PackageResources._001_create_conversations_sql)),
    ("0002_find_conversations", text(PackageResources._002_find_conversations_sql)),
    ("0003_remember_idempotency_keys", text(PackageResources._003_remember_idempotency_keys_sql)),
    ("0004_create_api_keys", text(PackageResources._004_create_api_keys_sql)),
    ("0005_remember_newest_deleted", text(PackageResources._005_remember_newest_deleted_sql)),
  ]

  private static func text(_ bytes: [UInt8]) -> String {
    String(decoding: bytes, as: UTF8.self)
  }
}
