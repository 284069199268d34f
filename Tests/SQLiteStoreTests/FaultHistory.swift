import Conversations
import Foundation
import Repository
import SQLite
import TestSupport
import Testing

@testable import SQLiteStore

/// A seeded sequence of writes, several at a time on different conversations, on a disk that records
/// each change; and for each conversation what it was, from which change on.
final class FaultHistory {
  /// What a conversation became by one write; `text` is nil when it is not there.
  private struct Version {
    let text: String?
    /// How many changes there were on the disk before it was asked for, and when it was answered;
    /// nil when it was answered `commit_unknown`.
    let asked: Int
    let answered: Int?
  }

  private enum Kind: CaseIterable {
    case create, createOnce, replace, merge, delete
  }

  private struct Write {
    let kind: Kind
    let id: ConversationID?
    let pairs: [String: String]
    let keyNumber: Int
  }

  let sample: FaultSample
  let initialFiles: [FaultyDisk.File: Data]
  private let synchronous: SQLiteStore.Settings.Synchronous
  private var repository: SQLiteStore
  private var random: SeededGenerator
  private var versions: [String: [Version]] = [:]
  private(set) var writeCount = 0
  private(set) var unknownCount = 0
  /// When the writes were asked for of which the end is not known.
  private var unknownSince = 0

  init(seed: UInt64, synchronous: SQLiteStore.Settings.Synchronous = .full) throws {
    sample = try FaultSample()
    initialFiles = try sample.files()
    self.synchronous = synchronous
    random = SeededGenerator(seed: seed)
    for (id, text) in try sample.conversations() {
      versions[id] = [Version(text: text, asked: -1, answered: -1)]
    }
    sample.disk.record()
    repository = try sample.open(synchronous: synchronous)
  }

  // MARK: What happens

  /// Writes, now and then has the log written back, and closes the file and opens it again.
  func run(rounds: Int) async throws {
    for round in 1...rounds {
      try await write(count: Int.random(in: 1...5, using: &random))
      if repository.isStopped {
        try await restart()
      } else if round % 7 == 0 {
        try checkpoint()
      } else if round % 16 == 0 {
        try await restart()
      }
    }
  }

  func close() async {
    await repository.close()
  }

  private func checkpoint() throws {
    let mode = ["PASSIVE", "RESTART", "TRUNCATE"].randomElement(using: &random)!
    let outsider = try Connection(
      path: sample.path, mode: .readWrite, busyTimeoutMilliseconds: 1000)
    // It may fail on a disk that does: nothing is lost by that.
    try? outsider.execute("PRAGMA wal_checkpoint(\(mode))")
  }

  /// What is there after a start is on disk.
  private func restart() async throws {
    await repository.close()
    repository = try sample.open(synchronous: synchronous)
    let found = try sample.conversations()
    #expect(violations(found, at: changeCount) == [])
    for id in Set(versions.keys).union(found.keys) where versions[id]?.last?.answered == nil {
      let since = versions[id]?.last?.asked ?? unknownSince
      versions[id, default: []].append(
        Version(text: found[id], asked: since, answered: changeCount))
    }
  }

  var changeCount: Int { sample.disk.changeCount }

  private func write(count: Int) async throws {
    var ids = versions.filter { $0.value.last?.text != nil }.map(\.key).sorted()
    let writes = (1...count).map { _ in
      writeCount += 1
      let kind = Kind.allCases.randomElement(using: &random)!
      let isNew = kind == .create || kind == .createOnce
      let id = isNew ? nil : ids.remove(at: Int.random(in: ids.indices, using: &random))
      let keys = ["a", "b", "c", "color", "odd"].shuffled(using: &random)
      let pairs = keys.prefix(Int.random(in: 0...5, using: &random)).map { ($0, randomValue()) }
      return Write(
        kind: kind, id: id.flatMap { ConversationID($0) },
        pairs: Dictionary(uniqueKeysWithValues: pairs), keyNumber: writeCount)
    }
    let asked = changeCount
    let repository = repository
    let outcomes = await withTaskGroup { group in
      for (index, write) in writes.enumerated() {
        group.addTask { (index, await Self.run(write, on: repository)) }
      }
      return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
    }
    let answered = changeCount
    for (index, write) in writes.enumerated() {
      note(write, outcomes[index]!, asked: asked, answered: answered)
    }
  }

  private func randomValue() -> String {
    String(
      repeating: "\(Int.random(in: 0...9, using: &random))",
      count: Int.random(in: 0...9, using: &random) == 0 ? 512 : 3)
  }

  private static func run(
    _ write: Write, on repository: SQLiteStore
  ) async -> Result<ConversationID, RepositoryError> {
    do throws(RepositoryError) {
      let set = try! Metadata(write.pairs.map { try Metadata.Pair(key: $0.key, value: $0.value) })
      switch write.kind {
      case .create:
        return .success(try await repository.createConversation(metadata: set, in: .default).id)
      case .createOnce:
        let key = IdempotencyKey("once\(write.keyNumber)", request: [])!
        let answer = try await repository.createConversation(
          metadata: set, in: .default, once: key
        ) { $0.id.description }
        return .success(ConversationID(answer.text)!)
      case .replace:
        return .success(
          try await repository.changeMetadata(
            of: write.id!, in: .default, by: .replace(with: set)
          ).id)
      case .merge:
        return .success(
          try await repository.changeMetadata(
            of: write.id!, in: .default, by: .merge(remove: ["parity", "odd"], set: set.pairs)
          ).id)
      case .delete:
        try await repository.deleteConversation(write.id!, in: .default)
        return .success(write.id!)
      }
    } catch {
      return .failure(error)
    }
  }

  private func note(
    _ write: Write, _ outcome: Result<ConversationID, RepositoryError>, asked: Int, answered: Int
  ) {
    switch outcome {
    case .success(let id):
      append(write, to: id, Version(text: text(write, id), asked: asked, answered: answered))
    case .failure(.commitUnknown):
      unknownCount += 1
      unknownSince = asked
      guard let id = write.id else { return }
      append(write, to: id, Version(text: text(write, id), asked: asked, answered: nil))
    case .failure(.storageFull), .failure(.unavailable(.diskFailed)),
      .failure(.unavailable(.closed)):
      break
    case .failure(let error):
      Issue.record("\(write.kind): \(error)")
    }
  }

  private func append(_ write: Write, to id: ConversationID, _ version: Version) {
    versions[id.description, default: []].append(version)
  }

  private func text(_ write: Write, _ id: ConversationID) -> String? {
    var pairs = write.pairs
    var once = write.kind == .createOnce ? "once\(write.keyNumber)" : ""
    if write.kind == .delete { return nil }
    if write.id != nil,
      let text = versions[id.description]?.last(where: { $0.answered != nil })?.text
    {
      let words = text.split(separator: " ").map {
        $0.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
      }
      for word in words where word[0] == "once" { once = word[1] }
      if write.kind == .merge {
        for word in words where !["once", "parity", "odd"].contains(word[0]) {
          pairs[word[0]] = pairs[word[0]] ?? word[1]
        }
      }
    }
    let shown = pairs.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    return (shown.isEmpty ? "" : shown.joined(separator: " ")) + " once=\(once)"
  }

  // MARK: What may be found

  /// What is wrong with what a start after a loss of power finds, when the power went after so many
  /// changes.
  ///
  /// - Parameter anyVersion: Whether older versions are good too.
  func violations(
    _ found: [String: String], at changeCount: Int, anyVersion: Bool = false
  ) -> [String] {
    var wrong: [String] = []
    for (id, versions) in versions {
      let asked = versions.filter { $0.asked < changeCount }
      let newest = asked.lastIndex { ($0.answered ?? .max) <= changeCount }
      var allowed = asked.dropFirst(anyVersion ? 0 : newest ?? 0).map(\.text)
      if newest == nil || (anyVersion && versions[0].asked >= 0) { allowed.append(nil) }
      if !allowed.contains(found[id]) {
        wrong.append("\(id) is \(found[id] ?? "gone"), not one of \(allowed)")
      }
    }
    for id in found.keys where versions[id] == nil && unknownCount == 0 {
      wrong.append("\(id) is there, and nobody was answered so")
    }
    return wrong
  }
}
