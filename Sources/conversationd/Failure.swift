import ArgumentParser
import Foundation
import HTTP
import Repository
import SQLite

/// Why a command ends, in one line for the person who typed it.
struct Failure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }

  /// A database that cannot be used.
  init(_ error: DatabaseError, database path: String) {
    self.init("database '\(path)': \(Self.words(error))")
  }

  /// A backup that was not made or not restored.
  ///
  /// - Parameter hint: What to do about a file that exists.
  init(_ error: BackupError, from source: String, to target: String, hint: String = "") {
    switch error {
    case .exists(let file): self.init("'\(file)' exists; nothing was written\(hint)")
    case .inProgress: self.init("another process writes '\(target)' at this moment")
    case .cannotWrite(let number): self.init("'\(target)': \(Self.words(errorNumber: number))")
    case .target(.inUse): self.init("database '\(target)': a server uses it; stop that first")
    case .target(.sqlite(let error)) where error.kind == .busy:
      self.init(
        "database '\(target)': another program has it open (sqlite3, keys, a replication); stop "
          + "that first")
    case .target(let error): self.init(error, database: target)
    case .empty, .damaged, .source:
      self.init("database '\(source)': \(Self.words(error)); nothing was written")
    }
  }

  /// A key that cannot be made or revoked.
  init(_ error: APIKeysError, name: String, database path: String) {
    switch error {
    case .nameTaken:
      self.init("a key named '\(name)' exists; revoke it first, or take another name")
    case .noSuchKey:
      self.init("no key named '\(name)'; 'conversationd keys list' shows them")
    case .malformedName:
      self.init("the name of a key is 1 to 64 characters, none of them a control character")
    case .malformedProject:
      self.init(
        "the name of a project is 1 to 64 visible ASCII characters, none of them a space")
    case .database(let error): self.init(error, database: path)
    }
  }

  /// An address that cannot be served.
  ///
  /// - Parameter notLoopback: Why only loopback addresses are served.
  init(_ error: ListenError, host: String, port: Int, notLoopback: String = "") {
    let reason =
      switch error {
      case .unknownHost(let reason): reason
      case .notLoopback: "only loopback addresses are served, \(notLoopback)"
      case .cannotBind(EADDRINUSE): "another program uses this port"
      case .cannotBind(EACCES): "this user may not use this port"
      case .cannotBind(EADDRNOTAVAIL): "this machine does not have this address"
      case .cannotBind(let number): Self.words(errorNumber: number)
      case .cannotStart(let number): "cannot start: \(Self.words(errorNumber: number))"
      }
    self.init("address \(host) port \(port): \(reason)")
  }

  private static func words(_ error: DatabaseError) -> String {
    switch error {
    case .cannotOpen(ENOENT): "no such file or folder"
    case .cannotOpen(let number): words(errorNumber: number)
    case .inUse: "another conversationd uses this file"
    case .notADatabase: "not a database"
    case .noWriteAheadLog:
      "this file system cannot share memory between processes, which SQLite's write-ahead log needs"
    case .noBackup(let error, let path):
      "it must be copied to '\(path)' before it is migrated, and nothing was changed: "
        + "\(words(error)); 'conversationd migrate --without-backup' goes on without a copy"
    case .notMigrated(let newest):
      "its schema is older than version \(newest); run 'conversationd migrate'"
    case .migration(.foreign(let id)):
      id == 0
        ? "belongs to another program (it has tables, and no application_id)"
        : "belongs to another program (its application_id is \(id))"
    case .migration(.newer(let version, let newest)):
      "was written by a newer conversationd (version \(version); this one knows \(newest))"
    case .migration(.step(let name, let error)):
      "migration \(name) failed and left nothing behind: \(error)"
    case .migration(.foreignKeys(let step)):
      "migration \(step) would break a foreign key and left nothing behind"
    case .migration(.sqlite(let error)), .sqlite(let error): words(error)
    }
  }

  private static func words(_ error: BackupError) -> String {
    switch error {
    case .exists(let file): "'\(file)' exists"
    case .inProgress: "another process makes the copy"
    case .empty: "there is nothing in it"
    case .damaged: "it is damaged; 'conversationd check' says where"
    case .cannotWrite(let number): words(errorNumber: number)
    case .source(let error), .target(let error): words(error)
    }
  }

  private static func words(_ error: SQLiteError) -> String {
    switch error.kind {
    case .notADatabase: "not a database"
    case .busy: "another process holds its lock"
    case .readOnly: "this user may not write it or its folder"
    default: "\(error)"
    }
  }

  private static func words(errorNumber: Int32) -> String {
    // strerror's words begin with a capital letter, and stand in the middle of a line here.
    let words = String(cString: strerror(errorNumber))
    return words.prefix(1).lowercased() + words.dropFirst()
  }
}
