import Glibc

/// The settings that a configuration file has.
struct SettingsFile {
  /// By the setting's key. Paths start at the file's folder, lists are joined by spaces.
  private(set) var values: [String: String] = [:]
  private let path: String

  /// - Throws: `Failure` when the file cannot be read, is not YAML, or has what is no setting.
  init(_ path: String) throws(Failure) {
    self.path = path
    let bytes: [UInt8]
    do {
      bytes = try readFile(path)
    } catch {
      let reason = error.number == ENOENT ? "does not exist" : "cannot be read: \(error)"
      throw Failure(.configuration, "configuration file '\(path)' \(reason)")
    }
    do {
      for entry in try YAMLFile(bytes).entries { try take(entry) }
    } catch let failure as Failure {
      throw failure
    } catch YAMLError.malformed(let reason) {
      throw Failure(.configuration, "configuration file '\(path)' is not valid YAML: \(reason)")
    } catch YAMLError.dotted(let key) {
      throw Failure(
        .configuration, "unknown setting '\(key)' in '\(path)': write sections, not dots")
    } catch {
      throw Failure(.configuration, "configuration file '\(path)' must be a mapping of settings")
    }
  }

  private mutating func take(_ entry: YAMLFile.Entry) throws(Failure) {
    guard let setting = Setting.all.first(where: { $0.key == entry.key }) else {
      let isSection = Setting.all.contains { $0.key.hasPrefix("\(entry.key).") }
      // A section whose settings are all commented out.
      switch entry.value {
      case .emptySection where isSection: return
      case .scalar("") where isSection: return
      default: break
      }
      let parent = Setting.all.first { entry.key.hasPrefix("\($0.key).") }
      if let parent { throw notSingle(parent.key) }
      throw Failure(.configuration, "unknown setting '\(entry.key)' in '\(path)'")
    }
    switch entry.value {
    case .scalar(let text): values[entry.key] = resolved(text, setting)
    case .list(let words) where setting.kind.isList:
      values[entry.key] = words.joined(separator: " ")
    case .list, .emptySection: throw notSingle(entry.key)
    }
  }

  private func notSingle(_ key: String) -> Failure {
    Failure(.configuration, "setting '\(key)' in '\(path)' must be a single value")
  }

  private func resolved(_ text: String, _ setting: Setting) -> String {
    switch setting.kind {
    case .path, .optionalPath:
      guard !text.isEmpty, !text.hasPrefix("/"), let cut = path.lastIndex(of: "/") else {
        return text
      }
      return path[...cut] + text
    default: return text
    }
  }
}

/// Why the operating system did not do something.
struct SystemError: Error, CustomStringConvertible {
  let number: Int32

  /// strerror's words, which begin with a capital letter, as they stand in the middle of a line.
  var description: String {
    let words = String(cString: strerror(number))
    return words.prefix(1).lowercased() + words.dropFirst()
  }
}

/// Reads a whole file.
func readFile(_ path: String) throws(SystemError) -> [UInt8] {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { throw SystemError(number: errno) }
  defer { close(descriptor) }
  var bytes: [UInt8] = []
  var piece = [UInt8](repeating: 0, count: 64 << 10)
  while true {
    let count = read(descriptor, &piece, piece.count)
    if count < 0, errno == EINTR { continue }
    guard count >= 0 else { throw SystemError(number: errno) }
    if count == 0 { return bytes }
    bytes.append(contentsOf: piece[..<count])
  }
}
