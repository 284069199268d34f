import Glibc
import SQLiteStore

/// A line on the terminal that fills while a command works through a database, nothing where standard
/// error is no terminal; and no half a copy when the person there gives up.
final class ProgressBar {
  private static let width = 40

  private let folder: String?
  private let isShown = isatty(STDERR_FILENO) == 1
  private var line = ""
  private var interruption: Interruption?

  /// - Parameter folder: A folder that is there for the copy alone.
  init(in folder: String? = nil) {
    self.folder = folder
  }

  func show(_ progress: BackupProgress) {
    switch progress {
    case .began(let path): interruption = Interruption(removing: path, in: folder)
    case .copied(let part): show("copying ", part)
    case .checking(let part): show("checking", part)
    }
  }

  /// Gives the terminal's next line to others; the copy is whole, or gone.
  func end() {
    interruption?.end()
    if isShown, !line.isEmpty { writeError("") }
  }

  /// Shows which part is done.
  func show(_ title: String, _ part: Double) {
    let part = min(max(part, 0), 1)
    let filled = String(repeating: "=", count: Int(part * Double(Self.width)))
    let empty = String(repeating: " ", count: Self.width - filled.count)
    let line = "\(title) [\(filled)\(empty)] \(Int(part * 100)) %"
    guard isShown, line != self.line else { return }
    self.line = line
    let bytes = Array("\r\(line)".utf8)
    _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
  }
}
