import ArgumentParser
import Glibc
import HTTP
import SQLite
import SQLiteStore

/// Why a command ends, in one line for the person who typed it.
struct Failure: Error, CustomStringConvertible {
  /// What kind of failure it is; the raw value is the exit code (sysexits.h).
  enum Kind: Int32 {
    /// EX_USAGE: the command line is wrong.
    case usage = 64
    /// EX_DATAERR: what is stored or was given is wrong.
    case data = 65
    /// EX_UNAVAILABLE: something that is needed is in use, or there is none.
    case unavailable = 69
    /// EX_SOFTWARE: this program did not do what it should.
    case software = 70
    /// EX_IOERR: the operating system did not read or write.
    case io = 74
    /// EX_CONFIG: the configuration is wrong.
    case configuration = 78
  }

  let kind: Kind
  let description: String

  init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }

  /// A database that cannot be used.
  init(_ error: DatabaseError, database path: String) {
    self.init(Kind(error), "database '\(path)': \(Self.words(error))")
  }

  /// A backup that was not made or not restored.
  ///
  /// - Parameter hint: What to do about a file that exists.
  init(_ error: BackupError, from source: String, to target: String, hint: String = "") {
    let words =
      switch error {
      case .exists(let file): "'\(file)' exists; nothing was written\(hint)"
      case .inProgress: "another process writes '\(target)' at this moment"
      case .cannotWrite(ENOENT): "the folder of '\(target)' does not exist"
      case .cannotWrite(let number): "'\(target)': \(SystemError(number: number))"
      case .target(.inUse): "database '\(target)': a server uses it; stop that first"
      case .target(.sqlite(let error)) where error.kind == .busy:
        "database '\(target)': another program has it open (sqlite3, keys, a replication); stop "
          + "that first"
      case .target(let error): "database '\(target)': \(Self.words(error))"
      case .withoutKeys:
        "'\(source)' has no API keys, and '\(target)' has: after the restore everybody could read "
          + "and change everything; --allow-no-keys restores it all the same"
      case .sameFile: "'\(source)' and '\(target)' are the same file"
      case .empty, .damaged, .source:
        "database '\(source)': \(Self.words(error)); nothing was written"
      }
    self.init(Kind(error), words)
  }

  /// A key that cannot be made or revoked.
  ///
  /// - Parameter project: The project that was named, if one was.
  init(_ error: APIKeysError, name: String, project: String?, database path: String) {
    let inProject = project.map { " in project '\($0)'" } ?? ""
    switch error {
    case .nameTaken:
      self.init(
        .data, "a key named '\(name)' exists\(inProject); revoke it first, or take another name")
    case .noSuchKey:
      self.init(
        .data, "no key named '\(name)'\(inProject); 'conversationd keys list' shows them")
    case .ambiguousName(let projects):
      let names = projects.map { "'\($0)'" }.joined(separator: ", ")
      self.init(
        .usage, "a key named '\(name)' exists in the projects \(names); name one with --project")
    case .secretTaken:
      self.init(
        .data,
        "this key is stored already, or was once; 'conversationd keys list' shows how it begins")
    case .notHandedOver:
      self.init(.io, "the new key could not be printed, and nothing was changed")
    case .malformedName:
      self.init(
        .usage, "the name of a key is 1 to 64 characters, none of them a control character")
    case .malformedProject:
      self.init(
        .usage, "the name of a project is 1 to 64 visible ASCII characters, none of them a space")
    case .database(let error): self.init(error, database: path)
    }
  }

  /// An address that cannot be served.
  ///
  /// - Parameter notLoopback: Why only loopback addresses are served.
  init(_ error: ListenError, _ address: ListenAddress, notLoopback: String = "") {
    switch address {
    case .host(let host, let port):
      self.init(
        Kind(error), "address \(host) port \(port): \(Self.words(error, notLoopback: notLoopback))")
    case .unix: self.init(Kind(error), "address \(address): \(Self.wordsOfFile(error))")
    }
  }

  /// A management address that cannot be served.
  init(_ error: ListenError, management address: String) {
    self.init(Kind(error), "management address \(address): \(Self.wordsOfFile(error))")
  }

  /// A socket of systemd's that cannot be served.
  init(_ error: ListenError, inherited descriptor: Int32, notLoopback: String) {
    self.init(
      Kind(error),
      "socket \(descriptor) of LISTEN_FDS: \(Self.words(error, notLoopback: notLoopback))")
  }

  private static func wordsOfFile(_ error: ListenError) -> String {
    switch error {
    case .cannotBind(EADDRINUSE): "another program listens there"
    case .cannotBind(EEXIST): "this file exists, and is no socket"
    case .cannotBind(EACCES): "this user may not listen there"
    default: words(error)
    }
  }

  private static func words(_ error: ListenError, notLoopback: String = "") -> String {
    switch error {
    case .notListening: "it is no socket that listens for connections"
    case .unknownHost(let reason): reason
    case .notLoopback: "only loopback addresses are served, \(notLoopback)"
    case .cannotBind(EADDRINUSE): "another program uses this port"
    case .cannotBind(EACCES): "this user may not use this port"
    case .cannotBind(EADDRNOTAVAIL): "this machine does not have this address"
    case .cannotBind(let number): "\(SystemError(number: number))"
    case .cannotStart(let number): "cannot start: \(SystemError(number: number))"
    }
  }
}

extension Failure.Kind {
  fileprivate init(_ error: DatabaseError) {
    self =
      switch error {
      case .cannotOpen(ENOENT), .inUse: .unavailable
      case .cannotOpen, .noWriteAheadLog, .unreadableLog: .io
      case .notADatabase, .notMigrated, .migration(.foreign), .migration(.newer): .data
      case .noBackup(let error, _): Failure.Kind(error)
      case .migration(.sqlite(let error)), .sqlite(let error): Failure.Kind(error)
      case .migration: .software
      }
  }

  fileprivate init(_ error: BackupError) {
    self =
      switch error {
      case .exists, .inProgress: .unavailable
      case .empty, .damaged, .withoutKeys: .data
      case .sameFile: .usage
      case .cannotWrite: .io
      case .source(let error), .target(let error): Failure.Kind(error)
      }
  }

  fileprivate init(_ error: ListenError) {
    self =
      switch error {
      case .unknownHost, .notLoopback, .notListening: .configuration
      case .cannotBind, .cannotStart: .unavailable
      }
  }

  fileprivate init(_ error: SQLiteError) {
    self =
      switch error.kind {
      case .busy: .unavailable
      case .notADatabase, .corrupt, .constraint: .data
      case .io, .full, .cannotOpen, .readOnly: .io
      default: .software
      }
  }
}

extension Failure {
  private static func words(_ error: DatabaseError) -> String {
    switch error {
    case .cannotOpen(ENOENT): "no such file or folder"
    case .cannotOpen(let number): "\(SystemError(number: number))"
    case .inUse: "another conversationd uses this file"
    case .notADatabase: "not a database"
    case .unreadableLog:
      "its write-ahead log has changes, and this user may not write its folder, which reading them "
        + "needs: run the command as a user who may"
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
    case .withoutKeys: "it has no API keys"
    case .sameFile: "it is the same file"
    case .cannotWrite(let number): "\(SystemError(number: number))"
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
}
