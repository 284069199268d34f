import Foundation
import TestSupport

/// What can be on a disk when the power goes: of each file what was synced, and of the rest whatever
/// the disk came to, in pieces of a sector and in any order. A name in the folder is on disk when a
/// file that was made in it was synced: SQLite syncs the folder then.
struct FaultReplay {
  /// What becomes of what was not synced.
  enum Loss: CaseIterable {
    case everything, nothing, some
  }

  private struct FileState {
    var onDisk: [UInt8] = []
    var unsynced: [Unsynced] = []
    var exists = false
    /// Whether its name is on disk.
    var isNamed = false
    /// What was on disk under the name before, and may be again.
    var former: [UInt8]?
  }

  private struct Unsynced {
    let change: Change
    /// A sync failed: the operating system drops it or not, and later syncs do not tell.
    var isForgotten = false
  }

  private enum Change {
    case write(offset: Int, bytes: Data)
    case truncate(size: Int)
  }

  private static let sectorBytes = 512
  private var files: [FaultyDisk.File: FileState] = [:]
  private var random: SeededGenerator

  /// - Parameter files: What is on disk at first.
  init(_ files: [FaultyDisk.File: Data], seed: UInt64) {
    random = SeededGenerator(seed: seed)
    for (file, bytes) in files {
      self.files[file] = FileState(onDisk: Array(bytes), exists: true, isNamed: true)
    }
  }

  mutating func run(_ change: FaultyDisk.Change) {
    switch change {
    case .made(let file):
      files[file] = FileState(exists: true, former: files[file]?.former)
    case .write(let file, let offset, let bytes):
      files[file, default: FileState()].exists = true
      files[file]?.unsynced.append(Unsynced(change: .write(offset: offset, bytes: bytes)))
    case .truncate(let file, let size):
      files[file]?.unsynced.append(Unsynced(change: .truncate(size: size)))
    case .sync(let file, failed: true):
      for index in files[file, default: FileState()].unsynced.indices {
        files[file]?.unsynced[index].isForgotten = true
      }
    case .sync(let file, failed: false):
      sync(file)
    case .delete(let file):
      let state = files[file] ?? FileState()
      files[file] = FileState(former: state.isNamed ? state.onDisk : state.former)
    }
  }

  private mutating func sync(_ file: FaultyDisk.File) {
    guard var state = files[file] else { return }
    for unsynced in state.unsynced {
      apply(unsynced.change, to: &state.onDisk, as: unsynced.isForgotten ? .some : .nothing)
    }
    state.unsynced = []
    let syncsFolder = file != .database && !state.isNamed
    files[file] = state
    guard syncsFolder else { return }
    for file in files.keys {
      files[file]!.isNamed = files[file]!.exists
      files[file]!.former = nil
    }
  }

  /// What the next start finds if the power goes now.
  mutating func lost(_ loss: Loss) -> [FaultyDisk.File: Data] {
    var found: [FaultyDisk.File: Data] = [:]
    for file in FaultyDisk.File.allCases {
      guard let state = files[file] else { continue }
      if keeps(loss) || (state.exists && state.isNamed) {
        guard state.exists else { continue }
        var bytes = state.onDisk
        for unsynced in state.unsynced { apply(unsynced.change, to: &bytes, as: loss) }
        found[file] = Data(bytes)
      } else if let former = state.former {
        found[file] = Data(former)
      }
    }
    return found
  }

  private mutating func keeps(_ loss: Loss) -> Bool {
    switch loss {
    case .everything: false
    case .nothing: true
    case .some: Bool.random(using: &random)
    }
  }

  private mutating func apply(_ change: Change, to bytes: inout [UInt8], as loss: Loss) {
    switch change {
    case .truncate(let size):
      guard keeps(loss) else { return }
      bytes = Array(bytes.prefix(size)) + Array(repeating: 0, count: max(0, size - bytes.count))
    case .write(let offset, let data):
      let isTorn = loss == .some && Bool.random(using: &random)
      let isKept = keeps(loss)
      var start = 0
      while start < data.count {
        let end = min(
          data.count, Self.sectorBytes * ((offset + start) / Self.sectorBytes + 1) - offset)
        if isTorn ? Bool.random(using: &random) : isKept {
          let missing = offset + end - bytes.count
          if missing > 0 { bytes += Array(repeating: 0, count: missing) }
          bytes.replaceSubrange(
            offset + start..<offset + end,
            with: data[data.startIndex + start..<data.startIndex + end])
        }
        start = end
      }
    }
  }
}
