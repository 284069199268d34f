import Foundation
public import PostgreSQL
import Synchronization

/// A PostgreSQL server of the tests' own, with its data and its one socket in a fresh folder. It ends,
/// and the folder goes, with the value or with the process.
///
/// PostgreSQL refuses to run as root: then it runs as `nobody`. A crash of the whole machine is not
/// tested, so nothing waits for the disk.
public final class PostgreSQLCluster: Sendable {
  /// The one that tests share; each has databases of its own in it.
  public static let shared = Result { try PostgreSQLCluster() }

  /// The role that owns the databases, who is no superuser.
  public static let owner = "conversationd"
  /// A role that has to show a password: `databaseURL` says how.
  public static let secretive = "secretive"
  /// The password of that role.
  public static let password = "p@ss/word:1"

  private let folder: String
  private let programs: String
  private let process: Mutex<Process?> = Mutex(nil)
  private let databaseCount = Atomic(0)

  /// Makes a cluster and starts it.
  public init() throws {
    programs = try Self.findPrograms()
    // Short, since the path of a socket has 107 bytes at most.
    folder = FileManager.default.temporaryDirectory.path + "/pg-\(UInt32.random(in: 0...(.max)))"
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
    if geteuid() == 0 { chown(folder, Self.nobody, Self.nobody) }
    try run([
      "\(programs)/initdb", "--pgdata=\(folder)/data", "--username=postgres", "--no-sync",
      "--encoding=UTF8", "--locale=C",
    ])
    try """
    local all \(Self.secretive) scram-sha-256
    local all all trust
    """.appending("\n").write(
      toFile: "\(folder)/data/pg_hba.conf", atomically: false, encoding: .utf8)
    try start()
    try execute(
      """
      CREATE ROLE \(Self.owner) LOGIN;
      CREATE ROLE \(Self.secretive) LOGIN PASSWORD '\(Self.password)';
      """)
  }

  deinit {
    stop()
    try? FileManager.default.removeItem(atPath: folder)
  }

  /// The number of the process that started all others of the server.
  public var postmaster: Int32? {
    let text = try? String(contentsOfFile: "\(folder)/data/postmaster.pid", encoding: .utf8)
    return text?.split(separator: "\n").first.flatMap { Int32($0) }
  }

  /// The path of the socket, for a proxy before it.
  public var socketPath: String { "\(folder)/.s.PGSQL.5432" }

  /// The URL of a database.
  public func databaseURL(
    _ name: String = "postgres", user: String = PostgreSQLCluster.owner, host: String? = nil
  ) throws -> DatabaseURL {
    try DatabaseURL("postgresql:///\(name)?user=\(user)&host=\(host ?? folder)")
  }

  /// Makes a database, which belongs to `owner`.
  ///
  /// - Parameter template: The database that it is a copy of.
  /// - Returns: Its name.
  public func makeDatabase(from template: String = "template0") throws -> String {
    let number = databaseCount.add(1, ordering: .relaxed).newValue
    let name = "test_\(number)"
    try execute(
      "CREATE DATABASE \(name) OWNER \(Self.owner) TEMPLATE \(template) STRATEGY file_copy")
    return name
  }

  /// Runs SQL in the database `postgres`, as its superuser.
  public func execute(_ sql: String) throws {
    var connection = try Connection(databaseURL(user: "postgres"))
    try connection.execute(sql)
  }

  /// Starts the server, after `kill` or `stop`.
  public func start() throws {
    let log = "\(folder)/log"
    // Right after a kill, what is left of the old server may still hold its memory.
    for _ in 0..<100 {
      let server = try launch(log: log)
      let isUp = eventually { !server.isRunning || (try? execute("SELECT 1")) != nil }
      if isUp, server.isRunning {
        process.withLock { $0 = server }
        return
      }
      stop(server)
      usleep(100_000)
    }
    throw ClusterError.doesNotStart((try? String(contentsOfFile: log, encoding: .utf8)) ?? "")
  }

  private func launch(log: String) throws -> Process {
    // The shell ends the server when the tests' process is gone, whichever way: its end of the pipe is
    // closed then. Without the server, the shell ends too.
    let script = #"""
      "$0" "$@" & server=$!
      while kill -0 $server 2>/dev/null; do
        if read -t 1 -r _ || [ $? -le 128 ]; then kill -QUIT $server; break; fi
      done
      wait $server
      """#
    let command = asNobody([
      "/bin/bash", "-c", script, "\(programs)/postgres", "-D", "\(folder)/data", "-k", folder,
      "-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off",
      "-c", "max_connections=200", "-c", "log_min_messages=fatal",
    ])
    let process = Process()
    process.executableURL = URL(filePath: command[0])
    process.arguments = Array(command.dropFirst())
    process.standardInput = Pipe()
    process.standardOutput = FileHandle.nullDevice
    _ = FileManager.default.createFile(atPath: log, contents: nil)
    process.standardError = FileHandle(forWritingAtPath: log)
    try process.run()
    return process
  }

  /// Kills the server with SIGKILL; its other processes end by themselves.
  public func kill() {
    guard let postmaster else { return }
    Foundation.kill(postmaster, SIGKILL)
    stop()
  }

  /// Stops the server without a checkpoint, as a crash does.
  public func stop() {
    let process = process.withLock { process in
      defer { process = nil }
      return process
    }
    if let process { stop(process) }
  }

  private func stop(_ process: Process) {
    (process.standardInput as? Pipe)?.fileHandleForWriting.closeFile()
    process.waitUntilExit()
  }

  private static let nobody: UInt32 = 65_534

  private func asNobody(_ command: [String]) -> [String] {
    guard geteuid() == 0 else { return command }
    let user = "\(Self.nobody)"
    return [
      "/usr/bin/setpriv", "--reuid=\(user)", "--regid=\(user)", "--clear-groups", "--",
    ] + command
  }

  private func run(_ command: [String]) throws {
    let command = asNobody(command)
    let process = Process()
    process.executableURL = URL(filePath: command[0])
    process.arguments = Array(command.dropFirst())
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw ClusterError.failed(command) }
  }

  private static func findPrograms() throws -> String {
    let root = "/usr/lib/postgresql"
    let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
    let newest = versions.compactMap { Int($0) }.max()
    guard let newest else { throw ClusterError.notInstalled }
    return "\(root)/\(newest)/bin"
  }
}

/// Why there is no server for the tests.
public enum ClusterError: Error {
  /// `scripts/setup --tests` installs it.
  case notInstalled
  /// A program failed.
  case failed([String])
  /// The server does not answer; what it wrote.
  case doesNotStart(String)
}
